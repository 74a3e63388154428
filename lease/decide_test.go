package lease

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

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

func released(l *coordv1.Lease) {
	holder("")(l)
	duration(1)(l)
	l.Spec.AcquireTime = l.Spec.RenewTime
	l.Annotations[AnnotationReleased] = releaseMark(l.Spec.RenewTime.Time)
}

func releasedByClientGo(l *coordv1.Lease) {
	holder("")(l)
	duration(1)(l)
	renewed(900)(l)
	l.Spec.AcquireTime = l.Spec.RenewTime
}

func untouched(l *coordv1.Lease) {
	l.UID, l.Annotations, l.Spec = "u2", nil, coordv1.LeaseSpec{}
}

// Each row: observations in order (each a second after the one before) and how
// long after the last of them the Lease may be taken.
func TestWhatAChangeProves(t *testing.T) {
	held := fenced("a_1", termA, "50", "100")
	for name, test := range map[string]struct {
		seen   []Record
		wait   time.Duration
		action Action // then, confirmed
	}{
		"held":                                                       {[]Record{held}, L, Acquire},
		"renewed":                                                    {[]Record{held, fenced("a_1", termA, "50", "101", renewed(3))}, L, Acquire},
		"label edited":                                               {[]Record{held, fenced("a_1", termA, "50", "101")}, L - time.Second, Acquire},
		"released":                                                   {[]Record{held, fenced("a_1", termA, "50", "101", released)}, 0, Acquire},
		"released, first thing seen":                                 {[]Record{fenced("a_1", termA, "50", "101", released)}, 0, Acquire},
		"never held, first thing seen":                               {[]Record{fenced("", "", "", "1", untouched)}, 0, Acquire},
		"missing, first thing seen":                                  {[]Record{{}}, L, Create},
		"taken over with a greater epoch":                            {[]Record{fenced("a_1", termA, "50", "100", duration(60)), fenced("b_1", termB, "101", "1001", renewed(9), duration(20))}, 20 * time.Second, Acquire},
		"taken over with no greater epoch":                           {[]Record{held, fenced("b_1", termB, "50", "101", renewed(9), duration(8))}, L, Acquire},
		"foreign holder by hand":                                     {[]Record{held, fenced("a_1", termA, "50", "101", holder("x"))}, L, Acquire},
		"foreign holder, shorter lease":                              {[]Record{held, fenced("a_1", termA, "50", "101", holder("x"), duration(2))}, L, Acquire},
		"foreign holder, longer lease":                               {[]Record{held, fenced("a_1", termA, "50", "101", holder("x"), duration(60))}, time.Minute, Acquire},
		"duration shortened by hand":                                 {[]Record{held, fenced("a_1", termA, "50", "101", duration(2))}, L, Acquire},
		"holder cleared by hand":                                     {[]Record{held, fenced("a_1", termA, "50", "101", holder(""))}, L, Acquire},
		"cleared by hand, first thing seen":                          {[]Record{fenced("a_1", termA, "50", "101", holder(""))}, L, Acquire},
		"client-go's, first thing seen, then released":               {[]Record{NewRecord(sample("cg")), fenced("cg", "", "", "101", releasedByClientGo)}, L - time.Second, Acquire},
		"taken by client-go while held, released":                    {[]Record{held, fenced("a_1", termA, "50", "101", holder("cg"), renewed(9)), fenced("a_1", termA, "50", "102", releasedByClientGo)}, L - time.Second, Acquire},
		"deleted, taken by client-go, renewed, released":             {[]Record{held, vacant(101), fenced("cg", "", "", "102", uid("u101"), renewed(8)), fenced("cg", "", "", "103", uid("u101"), renewed(9)), fenced("cg", "", "", "104", uid("u101"), releasedByClientGo)}, L - 2*time.Second, Acquire},
		"released, taken and released by client-go":                  {[]Record{held, fenced("a_1", termA, "50", "101", released), fenced("a_1", termA, "50", "102", holder("cg"), renewed(800)), fenced("a_1", termA, "50", "103", releasedByClientGo)}, time.Second, Acquire},
		"held by hotseat, cleared by client-go":                      {[]Record{held, fenced("a_1", termA, "50", "101", releasedByClientGo)}, L, Acquire},
		"client-go's, taken by hotseat unseen, cleared by client-go": {[]Record{NewRecord(sample("cg")), fenced("a_1", termA, "103", "105", releasedByClientGo)}, L, Acquire},
		"cleared by hand, and again by client-go":                    {[]Record{held, fenced("a_1", termA, "50", "101", holder("")), fenced("a_1", termA, "50", "102", releasedByClientGo)}, L, Acquire},
		"one epoch, another term, released":                          {[]Record{held, fenced("b_1", termB, "50", "101", renewed(9)), fenced("b_1", termB, "50", "102", released)}, L, Acquire},
		"edited into client-go's shape":                              {[]Record{fenced("a_1", termA, "50", "100", func(l *coordv1.Lease) { l.Spec.AcquireTime = l.Spec.RenewTime }), fenced("a_1", termA, "50", "101", holder(""), duration(1), func(l *coordv1.Lease) { l.Spec.AcquireTime = l.Spec.RenewTime })}, L, Acquire},
		"deleted":                                                    {[]Record{held, {}}, L, Create},
		"deleted under a longer lease":                               {[]Record{fenced("a_1", termA, "50", "100", duration(60)), {}}, time.Minute, Create},
		"deleted, shipped anew":                                      {[]Record{held, fenced("", "", "", "102", untouched)}, L, Acquire},
		"deleted, seen missing, shipped anew":                        {[]Record{held, {}, fenced("", "", "", "103", untouched)}, L, Acquire},
		"released, then deleted":                                     {[]Record{held, fenced("a_1", termA, "50", "101", released), {}}, L, Create},
		"restored from before a release":                             {[]Record{fenced("a_1", termA, "50", "90", released), fenced("b_1", termB, "100", "100"), fenced("a_1", termA, "50", "90", released)}, L, Acquire},
		"restored, with a bumped revision":                           {[]Record{fenced("b_1", termB, "100", "100"), fenced("a_1", termA, "50", "9000", released)}, L, Acquire},
		"restored, taken by one who knew nothing, released":          {[]Record{held, fenced("", "", "", "40", untouched), fenced("b_1", termB, "60", "41", renewed(9)), fenced("b_1", termB, "60", "42", released)}, L - 2*time.Second, Acquire},
		"the same, edited before it was released":                    {[]Record{held, fenced("", "", "", "40", untouched), fenced("b_1", termB, "60", "41", renewed(9)), fenced("b_1", termB, "60", "42", renewed(9), duration(60)), fenced("b_1", termB, "60", "43", released)}, L - time.Second, Acquire},
		"edited, released by its holder":                             {[]Record{held, fenced("a_1", termA, "50", "101", duration(60)), fenced("a_1", termA, "50", "102", released)}, 0, Acquire},
		"no duration written":                                        {[]Record{fenced("x", "", "", "1", func(l *coordv1.Lease) { l.Spec.LeaseDurationSeconds = nil })}, L, Acquire},
		"released, taken unseen, deleted, shipped anew":              {[]Record{fenced("a_1", termA, "50", "101", released), fenced("", "", "", "104", untouched)}, L, Acquire},
		"foreign holder, first thing seen":                           {[]Record{fenced("a_1", termA, "50", "101", holder("x"), duration(2))}, L, Acquire},
		"own identity restored":                                      {[]Record{fenced("me_1", termA, "50", "100"), fenced("b_1", termB, "101", "110", renewed(9)), fenced("me_1", termA, "50", "100")}, L, Acquire},
		"taken over, duration shortened, first sight":                {[]Record{fenced("a_1", termA, "50", "100", duration(1))}, L, Acquire},
		"lengthened by hand, renewed":                                {[]Record{held, fenced("a_1", termA, "50", "101", duration(86400)), fenced("a_1", termA, "50", "102", renewed(9))}, L, Acquire},
		"lengthened by hand, set right":                              {[]Record{held, fenced("a_1", termA, "50", "101", duration(86400)), fenced("a_1", termA, "50", "102")}, L, Acquire},
		"lengthened by hand, deleted":                                {[]Record{held, fenced("a_1", termA, "50", "101", duration(86400)), {}}, L, Create},
		"vacant, first thing seen":                                   {[]Record{vacant(7)}, L, Acquire},
		"annotations removed":                                        {[]Record{held, fenced("a_1", "", "", "101")}, L, Acquire},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var v View
				version := 0
				for i, r := range test.seen {
					if i > 0 {
						time.Sleep(time.Second)
					}
					version++
					if r.Exists() {
						version, _ = strconv.Atoi(r.ResourceVersion())
					}
					v = v.Observe(look(r, strconv.Itoa(version)), L)
				}
				now := Clock{}.Now()
				if test.action == Create {
					require.Equal(t, Create, Decide(v, now, false).Action, "vacant, and waited on then")
					version++
					v = v.Observe(look(vacant(version), strconv.Itoa(version)), L)
				}
				require.Equal(t, test.wait, v.FreeAt().Sub(now))
				if test.wait > 0 {
					d := Decide(v, now.Add(test.wait-1), true)
					require.Equal(t, Wait, d.Action, d.Why)
					require.Equal(t, v.FreeAt(), d.At)
				}
				require.Equal(t, Acquire, Decide(v, now.Add(test.wait), true).Action)
			})
		})
	}
}

// A client-go holder that was there for a lease has nothing to hide any more: its
// release is as good as its word.
func TestClientGoReleasesAfterALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v View
		for i := range 16 {
			v = v.Observe(look(fenced("cg", "", "", strconv.Itoa(100+i), renewed(i)), strconv.Itoa(100+i)), L)
			time.Sleep(time.Second)
		}
		v = v.Observe(look(fenced("cg", "", "", "200", releasedByClientGo), "200"), L)
		require.Equal(t, time.Second, v.FreeAt().Sub(Clock{}.Now()))
	})
}

// vacant is what a standby creates where a Lease is missing.
func vacant(version int) Record {
	l := (&Lock{Options: Options{Namespace: "shop", Name: "invoicer", Identity: "b_1"}}).vacant()
	l.UID, l.ResourceVersion = types.UID("u"+strconv.Itoa(version)), strconv.Itoa(version)
	return Record{l}
}

// look is a fresh List.
func look(r Record, version string) Observation {
	now := Clock{}.Now()
	return Observation{Record: r, Asked: now, At: now, ResourceVersion: version, Listed: true}
}

func TestDecideConfirmsWhatItOnlyHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := Clock{}.Now()
		decide := func(r Record, fresh bool) Action {
			v := View{}.Observe(look(r, "1000"), L)
			return Decide(v, now.Add(L), fresh).Action
		}
		require.Equal(t, Wait, Decide(View{}, now, true).Action, "nothing observed")
		held := fenced("a_1", termA, "50", "100")
		require.Equal(t, Confirm, decide(held, false))
		require.Equal(t, Confirm, decide(vacant(100), false))
		require.Equal(t, Acquire, decide(fenced("a_1", termA, "50", "100", released), false), "straight from the event")
		require.Equal(t, Acquire, decide(fenced("", "", "", "1", untouched), false))

		doubted := View{}.Observe(look(fenced("a_1", termA, "50", "100", released), "1000"), L).Doubt()
		require.Equal(t, Confirm, Decide(doubted, now, true).Action, "after a failed write only a List will do")
		require.Equal(t, Acquire, Decide(doubted.Observe(look(fenced("a_1", termA, "50", "100", released), "1000"), L), now, true).Action)
	})
	require.Equal(t, "wait confirm acquire create", Wait.String()+" "+Confirm.String()+" "+Acquire.String()+" "+Create.String())
}

func TestObserveDropsWhatIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		event := func(r Record, version string) Observation {
			now := Clock{}.Now()
			return Observation{Record: r, Asked: now, At: now, ResourceVersion: version}
		}
		held, free := fenced("a_1", termA, "50", "100"), fenced("a_1", termA, "50", "90", released)
		v := View{}.Observe(look(held, "100"), L)
		require.True(t, v.Known())
		require.EqualValues(t, 50, v.Epoch())
		require.Equal(t, v, v.Observe(event(free, "90"), L), "an event older than the List")
		require.Equal(t, v, v.Observe(event(held, "100"), L), "the same again")
		slow := look(free, "90")
		time.Sleep(time.Second)
		v = v.Observe(event(fenced("a_1", termA, "50", "110", renewed(5)), "110"), L)
		require.Equal(t, v, v.Observe(slow, L), "a List asked before the last event came")
		require.Equal(t, "110", v.Last().ResourceVersion)

		odd := v.Observe(event(free, "x7"), L)
		require.Equal(t, v.Doubt(), odd, "cannot be told: a List must settle it")
		time.Sleep(time.Second)
		require.Equal(t, "90", odd.Observe(look(free, "90"), L).Record().ResourceVersion(), "a fresh List of a restored store counts")
	})
}
