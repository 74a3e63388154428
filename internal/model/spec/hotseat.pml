/*
 * The protocol of package lease as a specification for spin: one Lease, two candidates, people who
 * edit the Lease, a store that is restored, and a guard. `make spec` checks it. Rules are cited by
 * their numbers in lease/doc.go. Each step is atomic, takes no time, and may come in any order or
 * late. A number bounds the writes. Nothing bounds the time.
 *
 * Asserted are these guarantees of internal/docs/guide/guarantees.md:
 *   G1: no two candidates are at work at once.
 *   G2: the epoch of each term is above those of all earlier terms, and the guard refuses a write
 *       of an older term once work of a newer one has started.
 *
 * Assumed, as there: work returns within the stop budget, and processes are not frozen. All clocks
 * tick alike, with L = R + S. Drift is not modelled. The proof at lease.Timing covers it: it
 * divides L by 1 + MaxClockDrift.
 *
 * Out of scope: deletion of the Lease (A1, C8), a seat that is taken back (S), proof of death (P),
 * epochs raised by hand (E4 to E6), successors, caches, updates in place of patches. A standby here
 * only looks, so there is always a gap between two of its observations (C1). C3 matters only to a
 * third process. internal/model explores deletion, seats, deaths, watches and C3 with hotseat's own
 * code; this specification shares no code with it.
 *
 * Exceptions of guarantees.md that a restore could run into are not modelled unless a flag asks
 * for them. EXCEPTION_BEHIND: a candidate has not seen what the restore wipes out.
 * EXCEPTION_ACQUIRE: an acquire is in flight. EXCEPTION_HISTORY: the store was not restored with
 * --mark-compacted. EXCEPTION_RELEASE: a release is in flight, and a new process starts. After a
 * restore without a bumped revision, epochs may repeat: G2 then holds for the guard alone.
 */
#ifndef L
#define L 2 /* LeaseDuration, in ticks */
#define R 1 /* RenewDeadline */
#define S 1 /* stop budget */
#endif
#ifndef SENT
#define SENT 4 /* how many requests the candidates send */
#endif
#ifndef EDITS
#define EDITS 0
#endif
#ifndef RESTORES
#define RESTORES 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef FENCED
#define FENCED 0 /* how many writes at the guarded resource */
#endif
#ifdef WRONG_T8 /* The timing is not validated: work may take a tick longer than L - R. */
#define BUDGET (S + 1)
#else
#define BUDGET S
#endif

mtype = { none, acquire, renew, release, running, draining }

/* A Lease. released is the version that a release says it replaced, else 0. renewed stands for
 * renewTime: no two writes of candidates have the same (W5). version is the resourceVersion. */
typedef Record { byte version, holder, epoch, term, renewed, released }

/* A write in flight, or its answer. record is what it tests, then what it wrote. */
typedef Request { mtype kind = none; bool done; byte age, number, epoch, term; Record record }

typedef Candidate {
  bool up = true;
  Record seen;         /* the last observation; version 0: none yet */
  byte newest;         /* the store's version at that time */
  byte maxEpoch, ofTerm; /* the greatest epoch seen, and its term */
  byte wait;           /* ticks until the Lease counts as free (T3) */
  byte epoch, term;    /* the own term, and its token; term 0: a standby */
  byte valid;          /* ticks for which the term is valid (T1) */
  bool over, began;    /* the work's context has ended; work has started */
  mtype work = none;
  byte stop;           /* ticks within which draining work returns */
  Request request      /* at most one in flight */
}

Candidate c[2];
Record lease, kept;          /* as stored; a file or a backup of it */
byte revision = 1;           /* of the store */
byte before, beforeHolder;   /* the version before: 0 there was no Lease, LOST it is compacted */
#define LOST 255
byte sent, highest; /* highest: the greatest epoch that any term had */
byte mark, markTerm;         /* the guard's */
byte started;                /* the term whose work started last */
byte lateEpoch, lateTerm;    /* a fenced write on its way */
byte edits, restores, crashes, fenced;
bool wentBack, carried;      /* restored without a bump; a release was in flight then */
Record nothing;
#ifdef WRONG_T5
byte since;                  /* ticks since renewTime, by the wall clock of the last writer */
#endif

#define content(a, b) (a.holder == b.holder && a.epoch == b.epoch && a.term == b.term && \
  a.renewed == b.renewed && a.released == b.released)
#define same(a, b) (a.version == b.version && content(a, b))
#define copyContent(to, from) to.holder = from.holder; to.epoch = from.epoch; \
  to.term = from.term; to.renewed = from.renewed; to.released = from.released
#define copy(to, from) to.version = from.version; copyContent(to, from)
#define clear(r) r.kind = none; r.done = false; r.age = 0; r.number = 0; \
  r.epoch = 0; r.term = 0;   copy(r.record, nothing)

#ifdef REACH /* To see that something can happen, REACH denies it: the checker has to object. */
byte story;
#define note(n) story = (REACH == n -> n : story)
#define deny(n, condition) assert(REACH != n || story != n || !(condition))
#else
#define note(n) skip
#define deny(n, condition) skip
#endif

/* What a standby concludes from a look. */

/* C1: after a gap, only the same version makes the same claim. */
#ifdef WRONG_C1 /* The same content does, too. */
#define unchanged (c[me].seen.version != 0 && content(c[me].seen, lease))
#else
#define unchanged same(c[me].seen, lease)
#endif

/* C9: a lower version or epoch, or an epoch seen with another term, proves nothing. */
#ifdef WRONG_C9
#define wentForward true
#else
#define wentForward (lease.version >= c[me].seen.version && (lease.epoch > c[me].maxEpoch || \
  lease.epoch == c[me].maxEpoch && (c[me].ofTerm == 0 || lease.term == c[me].ofTerm)))
#endif

/* C2: a release proves that its holder has stopped, if it identifies itself (C5). */
#if defined(WRONG_C2) /* A Lease that names no holder is free. */
#define proven (lease.holder == 0)
#elif defined(WRONG_C5) /* A Lease that says that it was released is free. */
#define proven (lease.holder == 0 && lease.released != 0)
#else
#define proven (lease.holder == 0 && lease.released != 0 && lease.released == before && \
  beforeHolder != 0 && wentForward)
#endif

/* C6: on the first look, the Lease is as it was created, and there was none before. C7: LOST. */
#define neverHeld (c[me].seen.version == 0 && lease.term == 0 && before == 0)

#if defined(WRONG_T3) /* It waits a tick less. */
#define duration (L - 1)
#elif defined(WRONG_T5) /* It goes by renewTime, and its wall clock is a tick ahead. */
#define duration (since + 1 >= L -> 0 : L - since - 1)
#else
#define duration L
#endif

#define observe(r) copy(c[me].seen, r); \
  c[me].ofTerm = (r.epoch > c[me].maxEpoch -> r.term : c[me].ofTerm); \
  c[me].maxEpoch = (r.epoch > c[me].maxEpoch -> r.epoch : c[me].maxEpoch)

inline standBy() {
  c[me].term = 0; c[me].epoch = 0; c[me].valid = 0; c[me].over = false; c[me].began = false
}

inline send(what) {
  sent++; c[me].request.number = sent;
  c[me].request.kind = what; c[me].request.epoch = c[me].epoch; c[me].request.term = c[me].term;
  if
  :: what != renew -> copy(c[me].request.record, c[me].seen) /* W4 */
  :: else                                                    /* W1 */
  fi
}
#define canSend (c[me].request.kind == none && sent < SENT)
#define ownTerm (c[me].up && c[me].term != 0)

#ifdef WRONG_E1 /* The epoch counts on from the Lease alone. */
#define nextEpoch (c[me].seen.epoch + 1)
#else
#define above (c[me].seen.epoch > c[me].maxEpoch -> c[me].seen.epoch + 1 : c[me].maxEpoch + 1)
#define nextEpoch (above > c[me].newest -> above : c[me].newest)
#endif

#ifdef WRONG_H5 /* The Lease is released before work has returned. */
#define mayRelease (c[me].over && c[me].began)
#else
#define mayRelease (c[me].over && c[me].began && c[me].work == none)
#endif

#ifdef WRONG_H1 /* Work starts without an announcement. */
#define announced true
#else
#define announced (c[me].epoch > mark || c[me].epoch == mark && c[me].term == markTerm)
#endif

proctype candidate(byte me) {
  do
  :: d_step { c[me].up && c[me].term == 0 && !unchanged -> /* look: R5, C */
      c[me].wait = duration;
      if
      :: proven -> c[me].wait = 0; note(1)
      :: !(proven) && neverHeld -> c[me].wait = 0
      :: else
      fi;
      observe(lease);
      c[me].newest = revision }
  :: d_step { c[me].up && c[me].term == 0 && c[me].seen.version != 0 && c[me].wait == 0 &&
        canSend -> /* acquire: A1, E1 */
      c[me].epoch = nextEpoch; c[me].term = sent + 1;
      send(acquire) }
  :: d_step { ownTerm && !c[me].began && c[me].valid == 0 -> /* give up an acquire: R1, T7 */
      standBy() }
  :: d_step { ownTerm && lease.term == c[me].term && lease.holder == me + 1 && canSend &&
        (!c[me].over || c[me].work == draining) -> /* renew: W1, W2, A3, H5 */
      send(renew) }
  :: d_step { ownTerm && !c[me].began && c[me].valid > 0 -> /* announce, and start: H1, H2 */
      if
      :: announced ->
#ifndef WRONG_H1
        mark = c[me].epoch; markTerm = c[me].term;
#endif
        c[me].began = true; c[me].work = running; started = c[me].term;
        deny(1, c[1 - me].up);  /* a handover */
        deny(2, !c[1 - me].up); /* a failover */
        deny(3, true);          /* a term after a restore */
        deny(4, true)           /* a term after a record was put back */
      :: else -> standBy() /* the guard knows a newer token */
      fi }
  :: d_step { ownTerm && c[me].work == running -> /* the context ends: T6, H4, or by will */
      c[me].over = true; c[me].work = draining; c[me].stop = BUDGET }
  :: d_step { c[me].work == draining -> c[me].work = none; c[me].stop = 0 } /* work returns */
  :: d_step { ownTerm && mayRelease && c[me].valid > 0 && canSend ->
      send(release); standBy() } /* H5, H6 */
  :: d_step { ownTerm && c[me].over && c[me].work == none -> standBy() }
  :: d_step { c[me].work != none && c[me].began && fenced < FENCED && lateTerm == 0 ->
      fenced++; lateEpoch = c[me].epoch; lateTerm = c[me].term } /* work writes, fenced */
  :: d_step { c[me].up && crashes < CRASHES -> /* crash: requests stay in flight */
      crashes++;
      if
      :: c[me].work == running -> note(2)
      :: else
      fi;
      standBy();
      c[me].up = false; c[me].work = none; c[me].stop = 0; c[me].wait = 0; c[me].newest = 0;
      c[me].maxEpoch = 0; c[me].ofTerm = 0; copy(c[me].seen, nothing) }
  :: d_step { !c[me].up && !carried -> c[me].up = true } /* a new process */
  od
}

/* ---- The way of a request to the store and back ---- */

#define q c[me].request

#ifdef WRONG_W4 /* An acquire tests the version alone. */
#define acquirable (q.record.version == lease.version)
#else
#define acquirable same(q.record, lease)
#endif
#ifdef WRONG_H7 /* A release tests nothing. */
#define releasable true
#else
#define releasable same(q.record, lease)
#endif
#ifdef WRONG_T1 /* A term is valid from the answer on. */
#define validity R
#else
#define validity (R - q.age)
#endif

inline stored() { /* the version of a write, and what the store remembers of the one before */
  before = lease.version; beforeHolder = lease.holder;
  revision++; lease.version = revision
}
inline stamped() {
  stored();
#ifndef WRONG_W5 /* The wall clock stands still, and renewTime with it. */
  lease.renewed = q.number;
#endif
#ifdef WRONG_T5
  since = q.age;
#endif
  if
  :: q.term == c[me].term -> q.done = true; copy(q.record, lease)
  :: else -> clear(q) /* nobody waits for this answer any more */
  fi
}

proctype wire(byte me) {
  do
  :: d_step { q.kind != none && !q.done ->
      if
      :: q.kind == renew && lease.holder == me + 1 && lease.term == q.term -> /* W1 */
        lease.released = 0; stamped()
      :: q.kind == acquire && acquirable -> /* A1, W4 */
        assert(wentBack || q.epoch > highest); /* G2: epochs grow */
        highest = (q.epoch > highest -> q.epoch : highest);
        lease.holder = me + 1; lease.epoch = q.epoch; lease.term = q.term; lease.released = 0;
        stamped()
      :: q.kind == release && releasable -> /* W4, H6 */
        assert(lease.term == q.term); /* H7: a release replaces its own term */
        lease.holder = 0; lease.released = q.record.version; stamped()
      :: else -> clear(q) /* refused; R5: a look shows why */
      fi }
  :: d_step { q.kind != none -> clear(q) } /* the request or its answer is lost: R3 */
  :: d_step { q.done -> /* the answer comes, maybe late or out of order: T1, T2 */
      if
      :: q.term == c[me].term && c[me].term != 0 ->
        c[me].valid = (validity > c[me].valid -> validity : c[me].valid);
        observe(q.record);
        c[me].wait = L /* C11 */
      :: else
      fi;
      clear(q) }
  od
}

/* ---- Time ---- */

#ifdef WRONG_T6 /* No timer ends the work. */
#define overdue(x) (c[x].work == draining && c[x].stop == 0)
#else
#define overdue(x) (c[x].work == running && c[x].valid == 0 || \
  c[x].work == draining && c[x].stop == 0)
#endif
#define less(timer) timer = (timer > 0 -> timer - 1 : 0)
#define older(x) c[x].request.age = (c[x].request.kind != none && c[x].request.age < R && \
  c[x].request.term == c[x].term -> c[x].request.age + 1 : c[x].request.age)

proctype clock() {
  do
  :: d_step { !overdue(0) && !overdue(1) ->
      assert(c[0].work == none || c[1].work == none); /* G1: one at a time, for all of a tick */
      less(c[0].valid); less(c[0].wait); less(c[0].stop);
      less(c[1].valid); less(c[1].wait); less(c[1].stop);
      older(0); older(1);
#ifdef WRONG_T5
      since = (since < L -> since + 1 : L);
#endif
    }
  od
}

/* ---- People, disasters, and the guard ---- */

#define inFlight(what) (c[0].request.kind == what && !c[0].request.done || \
  c[1].request.kind == what && !c[1].request.done)
#define behind(x) (c[x].up && !same(c[x].seen, lease) && \
  !(c[x].term != 0 && c[x].term == lease.term && c[x].term == c[x].seen.term))
#ifdef EXCEPTION_BEHIND
#define nobodyBehind true
#else
#define nobodyBehind (!behind(0) && !behind(1))
#endif
#ifdef EXCEPTION_ACQUIRE
#define nothingFlies true
#else
#define nothingFlies !inFlight(acquire)
#endif

#ifdef EXCEPTION_HISTORY
#define history lease.released
#else
#define history LOST
#endif
#ifdef EXCEPTION_RELEASE
#define carries false
#else
#define carries inFlight(release)
#endif
#define mayRestore (restores < RESTORES && kept.version != 0 && kept.version != lease.version && \
  nobodyBehind && nothingFlies)
inline restore(at) { /* the store is restored from a backup, and its history is compacted: C7 */
  copy(lease, kept); revision = at; before = history; beforeHolder = 1;
  restores++; carried = carries; note(3)
}

proctype world() {
  do
  :: d_step { edits < EDITS && lease.holder != 0 ->
      edits++; stored(); lease.holder = 0; lease.released = 0 } /* an edit clears the holder */
  :: d_step { EDITS + RESTORES > 0 && kept.version == 0 -> copy(kept, lease) }
  :: d_step { edits < EDITS && kept.version != 0 && !same(kept, lease) ->
      edits++; stored(); note(4); /* an edit puts an older record back */
      copyContent(lease, kept) }
  :: d_step { mayRestore -> restore(revision) } /* with --bump-revision: versions go on */
  :: d_step { mayRestore -> restore(kept.version); wentBack = true }
  :: d_step { lateTerm != 0 -> /* a fenced write reaches the guard */
      if
      :: lateEpoch > mark || lateEpoch == mark && lateTerm == markTerm ->
        assert(lateTerm == started); /* G2: no write of an older term is accepted */
        mark = lateEpoch; markTerm = lateTerm
      :: else -> note(5); deny(5, true)
      fi;
      lateEpoch = 0; lateTerm = 0 }
  od
}

init {
  atomic {
    lease.version = 1; /* as shipped: held by nobody */
    run candidate(0); run candidate(1);
    run wire(0); run wire(1); run clock(); run world()
  }
}
