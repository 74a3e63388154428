/*
 * The protocol of package lease, for spin: one Lease, two candidates, people who edit the Lease, a
 * store that is restored, and a guard. `make spec` checks it. Rules are cited by their numbers in
 * lease/doc.go. Each step takes no time, and may come late or never. Bounds are on the number of
 * requests and faults; time has none.
 *
 * Asserted are two guarantees of internal/docs/guide/guarantees.md:
 *   G1: no two candidates are at work at once.
 *   G2: the epoch of each term is above those of all earlier terms. Once work of a term has
 *       started, the guard refuses writes of older terms.
 *
 * Assumed, as there: work returns within the stop budget, and processes are not frozen. All clocks
 * tick alike, with L = R + S. Drift is not modelled: the proof at lease.Timing covers it, by
 * dividing L by 1 + MaxClockDrift. internal/sim plays clocks that drift.
 *
 * Out of scope: a Lease that is deleted (A1, C8), a seat taken back (S), proof of death (P), epochs
 * raised by hand (E4 to E6), successors, caches, updates in place of patches, and renewals that
 * overlap: each candidate has one request in flight. A standby only looks, so that there is always
 * a gap between two looks (C1). C3 matters only with a third process. internal/model explores
 * most of that with hotseat's own code. This specification shares no code with it.
 *
 * WRONG=rule breaks that rule. Exceptions of the guide are left out by a condition of the restore,
 * unless EXCEPTION names one:
 *   BEHIND: a candidate has not seen what the restore wipes out.
 *   ACQUIRE: an acquire is in flight during the restore.
 *   HISTORY: the store was restored without --mark-compacted, and a new process starts.
 *   RELEASE: a release is in flight during the restore, and a new process starts.
 * After a restore without a bumped revision epochs may repeat. G2 then holds for the guard alone.
 */
#ifndef L
#define L 2 /* LeaseDuration, in ticks */
#define R 1 /* RenewDeadline */
#define S 1 /* stop budget */
#endif
#ifndef SENT /* set all five of these, or none */
#define SENT 3 /* how many requests the candidates send */
#define EDITS 1
#define RESTORES 0
#define CRASHES 0
#define FENCED 0 /* how many writes work sends to the guarded resource */
#endif
#ifndef WRONG
#define WRONG none
#endif
#ifndef EXCEPTION
#define EXCEPTION none
#endif
#ifndef REACH
#define REACH none
#endif
mtype = { none, acquire, renew, release, running, draining }
mtype = { BEHIND, ACQUIRE, HISTORY, RELEASE } /* what EXCEPTION may be */
mtype = { HANDOVER, FAILOVER, RESTORED, PUTBACK, REFUSAL } /* REACH: the checker has to show it */
mtype = { /* what WRONG may be */
  T1, /* a term is valid from the answer on */
  T3, /* a standby waits a tick less */
  T5, /* it goes by renewTime, with a wall clock that is a tick ahead */
  T6, /* no timer ends the work */
  T8, /* the timing is not validated: work takes a tick longer than L - R */
  C1, /* the same content makes the same claim, too */
  C2, /* a Lease that names no holder is free */
  C5, /* a Lease that says it was released is free */
  C9, /* a Lease that went back proves what it says */
  W4, /* an acquire tests the version alone */
  W5, /* renewTime stands still */
  A4, /* an unanswered acquire is never given up */
  E1, /* the epoch counts on from the Lease alone */
  H1, /* work starts without an announcement */
  H5, /* the Lease is released before work has returned */
  H7  /* a release tests nothing */
}

/* A Lease: released is the version that a release says it replaced, else 0. renewed stands for
 * renewTime: no two writes have the same (W5). version is the resourceVersion. */
typedef Record { byte version, holder, epoch, term, renewed, released }
/* A write in flight, or its answer. record is what it tests, then what it wrote. */
typedef Request { mtype kind = none; bool done; byte age, number, epoch, term; Record record }
typedef Candidate {
  bool up = true;
  Record seen;           /* the last observation; version 0: none yet */
  byte newest;           /* the store's version then */
  byte maxEpoch, ofTerm; /* the greatest epoch seen, and its term */
  byte wait;             /* ticks until the Lease counts as free (T3) */
  byte epoch, term;      /* of the own term; term 0: a standby */
  byte valid;            /* ticks for which the term is valid (T1) */
  bool over, began;      /* the work's context has ended; work has started */
  mtype work = none;
  byte left;             /* ticks until draining work returns, or an acquire is given up */
  Request request
}

Candidate c[2];
Record lease, kept, nothing;  /* as stored; a file or a backup of it */
byte revision = 1;            /* of the store */
byte before, beforeHolder;    /* the version before: 0 there was no Lease, LOST it is compacted */
byte sent, edits, restores, crashes, fenced, highest; /* the greatest epoch of any term */
byte mark, markTerm;          /* the guard's */
byte started;                 /* the term whose work started last */
byte lateEpoch, lateTerm;     /* a fenced write on its way */
bool wentBack, carried;       /* restored without a bump; a release was in flight then */
mtype story = none;           /* for REACH */
byte since;                   /* ticks since renewTime, kept for the wrong rule T5 */
#define LOST 255
#define note(n) story = (REACH == n -> n : story)
#define deny(n, condition) assert(!(REACH == n && story == n && (condition)))

#define content(a, b) (a.holder == b.holder && a.epoch == b.epoch && a.term == b.term && \
  a.renewed == b.renewed && a.released == b.released)
#define same(a, b) (a.version == b.version && content(a, b))
#define copyContent(to, from) to.holder = from.holder; to.epoch = from.epoch; \
  to.term = from.term; to.renewed = from.renewed; to.released = from.released
#define copy(to, from) to.version = from.version; copyContent(to, from)
#define clear(r) r.kind = none; r.done = false; r.age = 0; r.number = 0; r.epoch = 0; r.term = 0; \
  copy(r.record, nothing)

/* C1: after a gap, only the same version makes the same claim. */
#define unchanged same(me.seen, lease)
#define sameClaim (WRONG == C1 && me.seen.version != 0 && content(me.seen, lease))
/* C9: a lower version or epoch, or an epoch seen with another term, proves nothing. */
#define forward (lease.version >= me.seen.version && (lease.epoch > me.maxEpoch || \
  lease.epoch == me.maxEpoch && (me.ofTerm == 0 || lease.term == me.ofTerm)) || WRONG == C9)
/* C2, C5: a release proves that its holder has stopped, if it identifies itself. */
#define proven (lease.holder == 0 && (WRONG == C2 || lease.released != 0 && (WRONG == C5 || \
  lease.released == before && beforeHolder != 0 && forward)))
/* C6: on the first look, the Lease is as it was created, and there was none before. C7: LOST. */
#define neverHeld (me.seen.version == 0 && lease.term == 0 && before == 0)
/* T3, T5 */
#define duration (WRONG == T3 -> L - 1 : (WRONG != T5 -> L : (since + 1 >= L -> 0 : L - since - 1)))
#define observe(r) copy(me.seen, r); me.ofTerm = (r.epoch > me.maxEpoch -> r.term : me.ofTerm); \
  me.maxEpoch = (r.epoch > me.maxEpoch -> r.epoch : me.maxEpoch)
#define standBy me.term = 0; me.epoch = 0; me.valid = 0; me.over = false; \
  me.began = false
#define above (me.seen.epoch >= me.maxEpoch || WRONG == E1 -> me.seen.epoch + 1 : me.maxEpoch + 1)
#define nextEpoch (above >= me.newest || WRONG == E1 -> above : me.newest)
#define announced (WRONG == H1 || me.epoch > mark || me.epoch == mark && me.term == markTerm)
#define mySeat (lease.holder == i + 1 && lease.term == me.term)
#define canSend (me.request.kind == none && sent < SENT)
#define send(what) sent++; me.request.kind = what; me.request.number = sent; \
  me.request.epoch = me.epoch; me.request.term = me.term
#define me c[i]

proctype candidate(byte i) {
  do
  :: d_step { me.up && me.term == 0 && !unchanged -> /* look: R5, C */
      me.wait = (proven || neverHeld -> 0 : (sameClaim -> me.wait : duration));
      story = (proven && REACH == HANDOVER -> HANDOVER : story);
      observe(lease); me.newest = revision }
  :: d_step { me.up && me.term == 0 && me.seen.version != 0 && me.wait == 0 && canSend ->
      me.epoch = nextEpoch; me.term = sent + 1; me.left = R; /* acquire: A1, E1, W4 */
      send(acquire); copy(me.request.record, me.seen) }
  :: d_step { me.term != 0 && !me.began -> standBy; me.left = 0 } /* give up an acquire: A4 */
  :: d_step { me.term != 0 && mySeat && canSend && (!me.over || me.work == draining) ->
      send(renew) } /* renew: W1, A3, H5 */
  :: d_step { me.term != 0 && !me.began && me.valid > 0 -> /* announce and start: T7, H1, H2 */
      if
      :: announced ->
        mark = (WRONG == H1 -> 0 : me.epoch); markTerm = (WRONG == H1 -> 0 : me.term);
        me.began = true; me.work = running; me.left = 0; started = me.term;
        deny(HANDOVER, c[1 - i].up); deny(FAILOVER, !c[1 - i].up);
        deny(RESTORED, true); deny(PUTBACK, true)
      :: else -> standBy; me.left = 0 /* the guard knows a newer token */
      fi }
  :: d_step { me.work == running -> /* the context ends: T6, H4, or as it likes */
      me.over = true; me.work = draining; me.left = (WRONG == T8 -> S + 1 : S) }
  :: d_step { me.work == draining -> me.work = none; me.left = 0 } /* work returns */
  :: d_step { me.over && (me.work == none || WRONG == H5) && me.valid > 0 && canSend ->
      send(release); copy(me.request.record, me.seen); standBy } /* release: H5, H6, W4 */
  :: d_step { me.over && me.work == none -> standBy } /* C11: its own term is waited out, too */
  :: d_step { me.work != none && fenced < FENCED && lateTerm == 0 && me.began ->
      fenced++; lateEpoch = me.epoch; lateTerm = me.term } /* work sends a fenced write */
  :: d_step { me.up && crashes < CRASHES -> /* crash: requests stay in flight */
      story = (me.work == running && REACH == FAILOVER -> FAILOVER : story);
      crashes++; standBy; me.up = false; me.work = none; me.left = 0; me.wait = 0;
      me.newest = 0; me.maxEpoch = 0; me.ofTerm = 0; copy(me.seen, nothing) }
  :: d_step { !me.up && !carried -> me.up = true } /* a new process */
  od
}

/* The way of a request to the store and back. */
#define q c[i].request
#define stored before = lease.version; beforeHolder = lease.holder; revision++; \
  lease.version = revision
#define tested same(q.record, lease)

proctype wire(byte i) {
  do
  :: d_step { q.kind != none && !q.done -> /* the store takes the write or refuses it */
      if
      :: q.kind == renew && lease.holder == i + 1 && lease.term == q.term -> /* W1 */
        stored; lease.renewed = (WRONG == W5 -> 0 : q.number)
      :: q.kind == acquire && (tested || WRONG == W4 && q.record.version == lease.version) ->
        assert(wentBack || q.epoch > highest); /* G2: epochs grow */
        highest = (q.epoch > highest -> q.epoch : highest);
        stored; lease.holder = i + 1; lease.epoch = q.epoch; lease.term = q.term;
        lease.released = 0; lease.renewed = (WRONG == W5 -> 0 : q.number)
      :: q.kind == release && (tested || WRONG == H7) ->
        assert(lease.term == q.term); /* H7: a release replaces its own term only */
        stored; lease.holder = 0; lease.released = q.record.version; lease.renewed = q.number
      :: else -> q.term = 0 /* refused; a look shows why: R5 */
      fi;
      since = (WRONG == T5 && q.term != 0 -> q.age : since);
      if
      :: q.term != 0 && q.term == me.term -> q.done = true; copy(q.record, lease)
      :: else -> clear(q) /* nobody needs the answer */
      fi }
  :: d_step { q.kind != none -> clear(q) } /* the request or its answer is lost: R3 */
  :: d_step { q.done -> /* the answer comes, maybe late: T1, T2 */
      if
      :: q.term == me.term ->
        me.valid = (WRONG == T1 -> R : (R - q.age > me.valid -> R - q.age : me.valid));
        observe(q.record); me.wait = L
      :: else
      fi;
      clear(q) }
  od
}

#define overdue(x) (c[x].work == running && c[x].valid == 0 && WRONG != T6 || \
  c[x].work == draining && c[x].left == 0 || \
  c[x].term != 0 && !c[x].began && c[x].left == 0 && WRONG != A4)
#define less(timer) timer = (timer > 0 -> timer - 1 : 0)
#define pass(x) less(c[x].valid); less(c[x].wait); less(c[x].left); \
  c[x].request.age = (c[x].request.kind != none && c[x].request.age < R && \
  c[x].request.term == c[x].term -> c[x].request.age + 1 : c[x].request.age)

proctype clock() {
  do
  :: d_step { !overdue(0) && !overdue(1) ->
      assert(c[0].work == none || c[1].work == none); /* G1: nobody shares a tick */
      pass(0); pass(1); since = (WRONG == T5 && since < L -> since + 1 : since) }
  od
}

/* What a restore wipes out, everybody has seen, unless EXCEPTION says otherwise. */
#define inFlight(what) (c[0].request.kind == what && !c[0].request.done || \
  c[1].request.kind == what && !c[1].request.done)
#define behind(x) (c[x].up && !same(c[x].seen, lease) && \
  !(c[x].term != 0 && c[x].term == lease.term && c[x].term == c[x].seen.term))
#define mayRestore (restores < RESTORES && kept.version != 0 && kept.version != lease.version && \
  (EXCEPTION == BEHIND || !behind(0) && !behind(1)) && \
  (EXCEPTION == ACQUIRE || !inFlight(acquire)))
#define restore restores++; note(RESTORED); copy(lease, kept); \
  before = (EXCEPTION == HISTORY -> lease.released : LOST); beforeHolder = 1; \
  carried = EXCEPTION != RELEASE && inFlight(release)

proctype world() { /* people, disasters, and the guard */
  do
  :: d_step { edits < EDITS && lease.holder != 0 -> /* an edit clears the holder */
      edits++; stored; lease.holder = 0 }
  :: d_step { EDITS + RESTORES > 0 && kept.version == 0 -> copy(kept, lease) }
  :: d_step { edits < EDITS && kept.version != 0 && !same(kept, lease) ->
      edits++; note(PUTBACK); stored; copyContent(lease, kept) } /* an edit puts it back */
  :: d_step { mayRestore -> restore } /* with --bump-revision: no version comes twice */
  :: d_step { mayRestore -> restore; revision = kept.version; wentBack = true }
  :: d_step { lateTerm != 0 -> /* a fenced write reaches the guard */
      if
      :: lateEpoch > mark || lateEpoch == mark && lateTerm == markTerm ->
        assert(lateTerm == started); /* G2: no write of an older term is accepted */
        mark = lateEpoch; markTerm = lateTerm
      :: else -> note(REFUSAL); deny(REFUSAL, true)
      fi;
      lateEpoch = 0; lateTerm = 0 }
  od
}

init {
  atomic { lease.version = 1; /* as shipped: held by nobody */
    run candidate(0); run candidate(1); run wire(0); run wire(1); run clock(); run world() }
}
