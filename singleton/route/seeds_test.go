package route

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
)

const seeds = 150

// TestNeverTwo: at every version, at most one replica has the traffic. Here the elector does not
// help at all: terms overlap as they like, and some go on for ever, as those of frozen processes
// do. Requests are delayed by up to 20 s, lost, and answered by nothing. In the end the last term
// has the traffic.
func TestNeverTwo(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for seed := range whole.Share(seeds, 40) {
				if !t.Run(fmt.Sprint(seed), func(t *testing.T) { inLab(t, func(l *lab) { overlap(l, seed, way) }) }) {
					return
				}
			}
		})
	}
}

func overlap(l *lab, seed uint64, way func(*lab, int, Options) *Router) {
	random := rand.New(rand.NewPCG(seed, 1))
	var stops []func()
	var last int
	for epoch := int64(1); epoch <= 6; epoch++ {
		if random.IntN(3) == 0 {
			fault(l, random)
		}
		if random.IntN(2) == 0 { // as the kubelet does
			touch(l, l.pods[random.IntN(3)].Name, epoch)
		}
		last = random.IntN(3)
		end := AtEnd(random.IntN(2)) * Leave
		stop := begin(way(l, last, Options{AtEnd: end, Recheck: 5 * second}), newTerm(epoch))
		if epoch < 6 && random.IntN(2) == 0 {
			time.AfterFunc(drawn(random, 5*second), stop)
		} else {
			stops = append(stops, stop)
		}
		time.Sleep(drawn(random, 4*second))
	}
	l.Heal()
	sleep(time.Minute)
	require.Empty(l, l.violations())
	require.Equal(l, []string{l.pods[last].Name}, l.receives(), l.story())
	for _, stop := range stops {
		stop()
	}
}

func fault(l *lab, random *rand.Rand) {
	link := l.Link(l.pods[random.IntN(3)].Name)
	switch random.IntN(5) {
	case 0:
		link.Freeze()
		time.AfterFunc(drawn(random, 20*second), link.Heal)
	case 1:
		link.Inject(apiserver.Fault{Verbs: []string{"patch", "create"}, Count: 3, DelayBefore: drawn(random, 20*second)})
	case 2:
		link.Inject(apiserver.Fault{Count: 2, LoseAnswer: true})
	case 3:
		link.Inject(apiserver.Fault{Verbs: []string{"patch", "create"}, Count: 2, HangAnswer: true})
	default:
		link.Inject(apiserver.Fault{Verbs: []string{"list", "get"}, Count: 2, DelayAfter: drawn(random, 8*second)})
	}
}

func touch(l *lab, pod string, n int64) {
	_, err := l.admin.CoreV1().Pods("shop").Patch(l.Context(), pod, types.MergePatchType,
		fmt.Appendf(nil, `{"status":{"message":"%d"}}`, n), metav1.PatchOptions{})
	assert.NoError(l, err)
}

// TestLatePublish: a request to publish that was sent in a term arrives when the next term has the
// traffic, from a Pod that the next term did not have to strip.
func TestLatePublish(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				first := newTerm(1)
				skip := map[string]int{"label": 3, "slice": 0}[name] // the claims
				l.Link("a").Inject(apiserver.Fault{
					Verbs: []string{"patch", "create"}, Skip: skip, Count: 1, DelayBefore: time.Minute,
				})
				stop := begin(way(l, 0, Options{}), first)
				sleep(second)
				first.over.Store(true)
				l.Link("a").BlackHole() // but what is under way arrives
				defer begin(way(l, 1, Options{}), newTerm(2))()
				sleep(2 * time.Minute)
				require.Equal(l, []string{"b"}, l.receives())
				require.NotContains(l, l.story(), map[string]string{"label": "a=true", "slice": "[a]"}[name])
				l.Heal()
				stop()
			})
		})
	}
}

// TestLatePublishOfOwn: a request to publish arrives after its own term has withdrawn.
func TestLatePublishOfOwn(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				first := newTerm(1)
				if name == "slice" { // so that there is one
					begin(way(l, 0, Options{}), newTerm(1))()
					sleep(second)
					first = newTerm(2)
				}
				before := l.story()
				skip := map[string]int{"label": 3, "slice": 0}[name]
				l.Link("a").Inject(apiserver.Fault{
					Verbs: []string{"patch"}, Skip: skip, Count: 1, DelayBefore: time.Minute,
				})
				stop := begin(way(l, 0, Options{}), first)
				sleep(second)
				stop()
				sleep(2 * time.Minute)
				if name == "label" {
					require.Empty(l, l.receives())
					require.Equal(l, before, l.story())
				}
			})
		})
	}
}

// TestCrash: the label and the address of a replica that crashed are replaced.
func TestCrash(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				stop := begin(way(l, 0, Options{}), newTerm(1))
				sleep(second)
				require.Equal(l, []string{"a"}, l.receives())
				l.Link("a").BlackHole()
				defer begin(way(l, 2, Options{}), newTerm(2))()
				sleep(second)
				require.Equal(l, []string{"c"}, l.receives())
				began := time.Now()
				stop()
				require.LessOrEqual(l, time.Since(began), 3*second, "three quarters of the stop budget")
			})
		})
	}
}

// TestRecheck: what somebody edits is mended.
func TestRecheck(t *testing.T) {
	inLab(t, func(l *lab) {
		defer begin(l.byLabel(0, Options{}), newTerm(1))()
		sleep(second)
		for _, patch := range []string{
			`{"metadata":{"labels":{"` + DefaultKey + `":null}}}`,
			`{"metadata":{"annotations":{"` + DefaultKey + markSuffix + `":null}}}`,
			`{"metadata":{"labels":{"` + DefaultKey + `":"other"}}}`,
		} {
			_, err := l.admin.CoreV1().Pods("shop").Patch(l.Context(), "a", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			require.NoError(l, err)
			sleep(defaultRecheck + second)
			require.Equal(l, []string{"a"}, l.receives(), patch)
		}
		// A new replica whose template has the label by mistake: the audit would see two, so by hand.
		l.mu.Lock()
		l.labelled = map[string]bool{}
		l.mu.Unlock()
		_, err := l.admin.CoreV1().Pods("shop").Create(l.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Name: "d", Labels: map[string]string{"app": "invoicer", DefaultKey: Active},
		}}, metav1.CreateOptions{})
		require.NoError(l, err)
		sleep(defaultRecheck + second)
		d, err := l.admin.CoreV1().Pods("shop").Get(l.Context(), "d", metav1.GetOptions{})
		require.NoError(l, err)
		require.NotContains(l, d.Labels, DefaultKey)
	})
}
