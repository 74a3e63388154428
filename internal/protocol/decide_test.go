package protocol

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hotseat-go/hotseat/lease"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
)

const L = 15 * time.Second

// Edits of a sample Lease.
func holder(id string) func(*coordv1.Lease) {
	return func(l *coordv1.Lease) { l.Spec.HolderIdentity = &id }
}

func renewed(n int) func(*coordv1.Lease) { return func(l *coordv1.Lease) { l.Spec.RenewTime = at(n) } }

func duration(seconds int32) func(*coordv1.Lease) {
	return func(l *coordv1.Lease) { l.Spec.LeaseDurationSeconds = &seconds }
}

func uid(u types.UID) func(*coordv1.Lease) { return func(l *coordv1.Lease) { l.UID = u } }

// release is what [Lock.Release] leaves over that version.
func release(replaced string) func(*coordv1.Lease) {
	return func(l *coordv1.Lease) {
		holder("")(l)
		duration(1)(l)
		l.Spec.AcquireTime = l.Spec.RenewTime
		l.Annotations[lease.AnnotationReleased] = releaseMark(l.Spec.RenewTime.Time, replaced)
	}
}

// released over the version before its own.
func released(l *coordv1.Lease) {
	version, _ := strconv.Atoi(l.ResourceVersion)
	release(strconv.Itoa(version - 1))(l)
}

func releasedByClientGo(l *coordv1.Lease) {
	holder("")(l)
	duration(1)(l)
	renewed(900)(l)
	l.Spec.AcquireTime = l.Spec.RenewTime
}

// shipped is the body of a manifest, over whatever is there.
func shipped(l *coordv1.Lease) { l.Annotations, l.Spec = nil, coordv1.LeaseSpec{} }

func untouched(l *coordv1.Lease) {
	shipped(l)
	l.UID = "u2"
}

// vacant is what a standby creates where a Lease is missing.
func vacant(version int) Record {
	l := (&Lock{Options: Options{Namespace: "shop", Name: "invoicer", Identity: "b_1"}}).vacant()
	l.UID, l.ResourceVersion = types.UID("u"+strconv.Itoa(version)), strconv.Itoa(version)
	return recordOf(l)
}

// look is a fresh List.
func look(r Record, version string) Observation {
	now := Clock{}.Now()
	return Observation{Record: r, Asked: now, At: now, ResourceVersion: version, Listed: true}
}

// event is a watch's, right after that version.
func event(r Record, version, after string) Observation {
	o := look(r, version)
	o.Listed, o.After = false, after
	return o
}

// shown shows the records to v, each a second after the one before: by one
// watch, or by a List each with a gap before it. A missing one has the version
// after the last.
func shown(v View, inOneWatch bool, seen ...Record) View {
	for i, r := range seen {
		if i > 0 {
			time.Sleep(time.Second)
		}
		last := v.Last().Version()
		version := r.ResourceVersion()
		if !r.Exists() {
			n, _ := strconv.Atoi(last)
			version = strconv.Itoa(n + 1)
		}
		if inOneWatch && v.Known() {
			v = v.Observe(event(r, version, last), L)
		} else {
			v = v.Observe(look(r, version), L)
		}
	}
	return v
}

// never is a wait that is not asked for.
const never = -1

// Each row: records in order (each a second after the one before) and how long
// after the last of them the Lease may be taken: if each was shown by a List, with a
// gap before it, and if one watch showed all of them.
func TestWhatAChangeProves(t *testing.T) {
	held, made := fenced("a_1", termA, "50", "100"), vacant(7)
	for name, test := range map[string]struct {
		seen       []Record
		gap, watch time.Duration
		action     Action // of the gap's: what is done meanwhile
	}{
		"held":                                                       {[]Record{held}, L, L, Wait},
		"renewed":                                                    {[]Record{held, fenced("a_1", termA, "50", "101", renewed(3))}, L, L, Wait},
		"label edited":                                               {[]Record{held, fenced("a_1", termA, "50", "101")}, L, L - time.Second, Wait},
		"labels edited twice":                                        {[]Record{held, fenced("a_1", termA, "50", "101"), fenced("a_1", termA, "50", "107")}, L, L - 2*time.Second, Wait},
		"released":                                                   {[]Record{held, fenced("a_1", termA, "50", "101", released)}, L, 0, Prove},
		"released, first thing seen":                                 {[]Record{fenced("a_1", termA, "50", "101", released)}, L, never, Prove},
		"never held, first thing seen":                               {[]Record{fenced("", "", "", "1", untouched)}, L, never, Prove},
		"missing, first thing seen":                                  {[]Record{{}}, L, never, Create},
		"taken over with a greater epoch":                            {[]Record{fenced("a_1", termA, "50", "100", duration(60)), fenced("b_1", termB, "101", "1001", renewed(9), duration(20))}, 20 * time.Second, 20 * time.Second, Wait},
		"taken over with no greater epoch":                           {[]Record{held, fenced("b_1", termB, "50", "101", renewed(9), duration(8))}, L, L, Wait},
		"foreign holder by hand":                                     {[]Record{held, fenced("a_1", termA, "50", "101", holder("x"))}, L, L, Wait},
		"foreign holder, shorter lease":                              {[]Record{held, fenced("a_1", termA, "50", "101", holder("x"), duration(2))}, L, L, Wait},
		"duration shortened by hand":                                 {[]Record{held, fenced("a_1", termA, "50", "101", duration(2))}, L, L, Wait},
		"holder cleared by hand":                                     {[]Record{held, fenced("a_1", termA, "50", "101", holder(""))}, L, L, Wait},
		"cleared by hand, first thing seen":                          {[]Record{fenced("a_1", termA, "50", "101", holder(""))}, L, never, Wait},
		"client-go's, first thing seen, then released":               {[]Record{NewRecord(sample("cg")), fenced("cg", "", "", "101", releasedByClientGo)}, L, L - time.Second, Wait},
		"taken by client-go while held, released":                    {[]Record{held, fenced("a_1", termA, "50", "101", holder("cg"), renewed(9)), fenced("a_1", termA, "50", "102", releasedByClientGo)}, L, L - time.Second, Wait},
		"deleted, taken by client-go, renewed, released":             {[]Record{held, vacant(101), fenced("cg", "", "", "102", uid("u101"), renewed(8)), fenced("cg", "", "", "103", uid("u101"), renewed(9)), fenced("cg", "", "", "104", uid("u101"), releasedByClientGo)}, L, L - 2*time.Second, Wait},
		"released, taken and released by client-go":                  {[]Record{held, fenced("a_1", termA, "50", "101", released), fenced("a_1", termA, "50", "102", holder("cg"), renewed(800)), fenced("a_1", termA, "50", "103", releasedByClientGo)}, L, time.Second, Wait},
		"held by hotseat, cleared by client-go":                      {[]Record{held, fenced("a_1", termA, "50", "101", releasedByClientGo)}, L, L, Wait},
		"client-go's, taken by hotseat unseen, cleared by client-go": {[]Record{NewRecord(sample("cg")), fenced("a_1", termA, "103", "105", releasedByClientGo)}, L, L, Wait},
		"cleared by hand, and again by client-go":                    {[]Record{held, fenced("a_1", termA, "50", "101", holder("")), fenced("a_1", termA, "50", "102", releasedByClientGo)}, L, L, Wait},
		"one epoch, another term, released":                          {[]Record{held, fenced("b_1", termB, "50", "101", renewed(9)), fenced("b_1", termB, "50", "102", released)}, L, L, Wait},
		"edited into client-go's shape":                              {[]Record{fenced("a_1", termA, "50", "100", func(l *coordv1.Lease) { l.Spec.AcquireTime = l.Spec.RenewTime }), fenced("a_1", termA, "50", "101", holder(""), duration(1), func(l *coordv1.Lease) { l.Spec.AcquireTime = l.Spec.RenewTime })}, L, L, Wait},
		"deleted":                                                    {[]Record{held, {}}, L, L, Create},
		"deleted, shipped anew":                                      {[]Record{held, fenced("", "", "", "102", untouched)}, L, L, Wait},
		"deleted, seen missing, shipped anew":                        {[]Record{held, {}, fenced("", "", "", "103", untouched)}, L, L, Wait},
		"replaced with the manifest":                                 {[]Record{held, fenced("", "", "", "101", shipped)}, L, L, Wait},
		"released, then deleted":                                     {[]Record{held, fenced("a_1", termA, "50", "101", released), {}}, L, L, Create},
		"restored from before a release":                             {[]Record{fenced("a_1", termA, "50", "90", released), fenced("b_1", termB, "100", "100"), fenced("a_1", termA, "50", "90", released)}, L, never, Wait},
		"restored, with a bumped revision":                           {[]Record{fenced("b_1", termB, "100", "100"), fenced("a_1", termA, "50", "9000", released)}, L, never, Wait},
		"restored, taken by one who knew nothing, released":          {[]Record{held, fenced("", "", "", "40", untouched), fenced("b_1", termB, "60", "41", renewed(9)), fenced("b_1", termB, "60", "42", released)}, L, never, Prove},
		"epoch raised by hand and put back, released by its holder":  {[]Record{held, fenced("a_1", termA, "70", "101"), fenced("a_1", termA, "50", "102"), fenced("a_1", termA, "50", "103", released)}, L, 0, Wait},
		"annotations removed, released by its holder":                {[]Record{held, fenced("a_1", "", "", "101"), fenced("a_1", termA, "50", "102", released)}, L, 0, Prove},
		"epoch raised by hand and removed, released by its holder":   {[]Record{held, fenced("a_1", termA, "70", "101"), fenced("a_1", "", "", "102"), fenced("a_1", termA, "50", "103", released)}, L, 0, Wait},
		"annotations removed, epoch written by hand, released":       {[]Record{held, fenced("a_1", "", "", "101"), fenced("a_1", "", "70", "102"), fenced("a_1", termA, "70", "103", released)}, L, 0, Prove},
		"another's epoch without a term, put back over that, released": {[]Record{
			held, fenced("b_1", "", "70", "102", renewed(9)), fenced("a_1", termA, "50", "103"), fenced("a_1", termA, "50", "104", released),
		}, L, L, Wait},
		"mistyped, mended, taken over, put back over that, released": {[]Record{
			held, fenced("a_1", termA, "1000000", "101"), fenced("a_1", termA, "50", "102"), fenced("b_1", termB, "103", "103", renewed(9)),
			fenced("a_1", termA, "50", "104"), fenced("a_1", termA, "50", "105", released),
		}, L, L - time.Second, Wait},
		"epoch raised by hand and put back, released by another": {[]Record{held, fenced("a_1", termA, "70", "101"), fenced("b_1", termB, "40", "102"), fenced("b_1", termB, "40", "103", released)}, L, L, Wait},
		"edited, released by its holder":                         {[]Record{held, fenced("a_1", termA, "50", "101", duration(60)), fenced("a_1", termA, "50", "102", released)}, L, 0, Prove},
		"released, deleted, restored":                            {[]Record{fenced("a_1", termA, "50", "101", released), {}, fenced("a_1", termA, "50", "101", released)}, L, never, Wait},
		"no duration written":                                    {[]Record{fenced("x", "", "", "1", func(l *coordv1.Lease) { l.Spec.LeaseDurationSeconds = nil })}, L, never, Wait},
		"released, taken unseen, deleted, shipped anew":          {[]Record{fenced("a_1", termA, "50", "101", released), fenced("", "", "", "104", untouched)}, L, L, Wait},
		"foreign holder, first thing seen":                       {[]Record{fenced("a_1", termA, "50", "101", holder("x"), duration(2))}, L, never, Wait},
		"own identity restored":                                  {[]Record{fenced("me_1", termA, "50", "100"), fenced("b_1", termB, "101", "110", renewed(9)), fenced("me_1", termA, "50", "100")}, L, never, Wait},
		"taken over, duration shortened, first sight":            {[]Record{fenced("a_1", termA, "50", "100", duration(1))}, L, never, Wait},
		"vacant, first thing seen":                               {[]Record{vacant(7)}, L, never, Wait},
		"vacant, edited":                                         {[]Record{made, edited(made, "8")}, L, L - time.Second, Wait},
		"annotations removed":                                    {[]Record{held, fenced("a_1", "", "", "101")}, L, L, Wait},
	} {
		t.Run(name, func(t *testing.T) {
			for inOneWatch, wait := range map[bool]time.Duration{false: test.gap, true: test.watch} {
				synctest.Test(t, func(t *testing.T) {
					if wait == never {
						return
					}
					v := shown(View{}, inOneWatch, test.seen...)
					if !inOneWatch {
						require.Equal(t, test.action, v.decide(Clock{}.Now(), true).Action)
					}
					if test.action == Create { // and waits on what it created
						require.Equal(t, Create, v.decide(Clock{}.Now(), false).Action)
						n, _ := strconv.Atoi(v.Last().Version())
						v = shown(v, inOneWatch, vacant(n+1))
					}
					waits(t, v, wait)
				})
			}
		})
	}
}

// waits requires that v takes the Lease after wait, not sooner, if nothing proves
// more.
func waits(t *testing.T, v View, wait time.Duration) {
	t.Helper()
	now := Clock{}.Now()
	v = v.Proved(v.Record(), Record{}, false)
	require.Equal(t, wait, v.FreeAt().Sub(now))
	if wait > 0 {
		d := v.decide(now.Add(wait-1), true)
		require.Equal(t, Wait, d.Action, d.Why)
		require.Equal(t, v.FreeAt(), d.At)
	}
	require.Equal(t, Acquire, v.decide(now.Add(wait), true).Action)
}

// edited is r after an edit of something that is not ours.
func edited(r Record, version string) Record {
	l := r.Lease()
	l.ResourceVersion = version
	l.Labels = map[string]string{"edited": version}
	return recordOf(l)
}

// A client-go holder that was there for a lease has nothing to hide any more: its
// release is as good as its word, if the watch shows it.
func TestClientGoReleasesAfterALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []Record
		for i := range 16 {
			seen = append(seen, fenced("cg", "", "", strconv.Itoa(100+i), renewed(i)))
		}
		v := shown(View{}, true, seen...)
		time.Sleep(time.Second)
		gone := fenced("cg", "", "", "116", releasedByClientGo)
		waits(t, v.Observe(event(gone, "116", "115"), L), time.Second)
		waits(t, v.Observe(look(gone, "116"), L), L)
	})
	synctest.Test(t, func(t *testing.T) { // nor has one that took the Lease when it had run out
		v := shown(View{}, true, fenced("cg1", "", "", "100"))
		time.Sleep(L)
		v = shown(v, true, fenced("cg2", "", "", "101", renewed(9)), fenced("cg2", "", "", "102", releasedByClientGo))
		waits(t, v, time.Second)
	})
}

func TestDecideConfirmsWhatItOnlyHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := Clock{}.Now()
		decide := func(v View, after time.Duration, fresh bool) Action {
			return v.decide(now.Add(after), fresh).Action
		}
		require.Equal(t, Wait, View{}.decide(now, true).Action, "nothing observed")
		held := fenced("a_1", termA, "50", "100")
		for _, r := range []Record{held, vacant(100)} {
			v := View{}.Observe(look(r, "1000"), L)
			require.Equal(t, Confirm, decide(v, L, false))
			require.Equal(t, Acquire, decide(v, L, true))
		}
		free := fenced("a_1", termA, "50", "101", released)
		v := View{}.Observe(look(held, "100"), L).Observe(event(free, "101", "100"), L)
		require.Equal(t, Acquire, decide(v, 0, false), "straight from the event")
		require.Equal(t, Acquire, decide(v, news-1, false))
		require.Equal(t, Confirm, decide(v, news, false), "not from one that is old")
		require.Equal(t, Acquire, decide(v, news, true))

		first := fenced("", "", "", "1", untouched)
		v = View{}.Observe(look(first, "1000"), L)
		require.Equal(t, Prove, decide(v, 0, true))
		require.Equal(t, Prove, decide(v, 0, false))
		v = v.Proved(first, Record{}, true)
		require.Equal(t, Acquire, decide(v, 0, false))
		require.Equal(t, Confirm, decide(v, news, false))

		doubted := View{}.Observe(look(held, "100"), L).Observe(event(free, "101", "100"), L).Doubt()
		require.Equal(t, Confirm, decide(doubted, 0, true), "after a failed write only a fresh read will do")
		require.Equal(t, Acquire, decide(doubted.Observe(look(free, "101"), L), 0, true), "and what the watch proved stays proven")
	})
}

func TestActionsHaveNames(t *testing.T) {
	for action, name := range map[Action]string{
		Wait: "wait", Confirm: "confirm", Prove: "prove", Acquire: "acquire", Create: "create", Trace: "trace", Ask: "ask", Ask + 1: "Action(7)", -1: "Action(-1)",
	} {
		require.Equal(t, name, action.String())
	}
}

func TestObserveDropsWhatIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held, free := fenced("a_1", termA, "50", "100"), fenced("a_1", termA, "50", "90", released)
		v := View{}.Observe(look(held, "100"), L)
		require.True(t, v.Known())
		require.EqualValues(t, 50, v.Epoch())
		require.Equal(t, v, v.Observe(event(free, "90", "89"), L), "an event older than the List")
		require.Equal(t, v, v.Observe(event(held, "100", "99"), L), "the same again")
		slow := look(free, "90")
		time.Sleep(time.Second)
		v = v.Observe(event(fenced("a_1", termA, "50", "110", renewed(5)), "110", "100"), L)
		require.Equal(t, v, v.Observe(slow, L), "a List asked before the last event came")
		require.Equal(t, "110", v.Last().ResourceVersion)

		odd := v.Observe(event(free, "x7", "110"), L)
		require.Equal(t, v.Doubt(), odd, "cannot be told: a List must settle it")
		time.Sleep(time.Second)
		v = odd.Observe(look(free, "90"), L)
		require.Equal(t, "90", v.Record().ResourceVersion(), "a fresh List of a restored store counts")
		require.Equal(t, "110", v.Newest(), "of what was ever seen")
		time.Sleep(time.Second)
		beside := look(free, "90")
		beside.Newest = "200"
		v = v.Observe(beside, L)
		require.Equal(t, "200", v.Newest())
	})
}
