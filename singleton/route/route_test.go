package route

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// run makes replica i a candidate whose work has the traffic.
func (l *lab) run(i int, r *Router, work singleton.Work) (e *singleton.Elector, stop func()) {
	e, err := singleton.New(l.Client(l.pods[i].Name), singleton.Config{
		Namespace: "shop", Name: "invoicer", Replica: singleton.ReplicaConfig{Identity: l.pods[i].Name},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(l, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, r.Work(work)) }()
	return e, sync.OnceFunc(func() {
		cancel()
		require.NoError(l, <-done)
	})
}

func idle(ctx context.Context, _ *singleton.Term) error {
	<-ctx.Done()
	return nil
}

func (l *lab) ship() {
	_, err := l.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer"}})
	require.NoError(l, err)
}

// TestTerms: the traffic follows the elector, and the address is gone before the Lease is.
func TestTerms(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.ship()
				a := way(l, 0, Options{})
				_, stop := l.run(0, a, idle)
				defer stop()
				sleep(second)
				require.True(l, a.Published())
				require.Equal(l, []string{"a"}, l.receives())
				_, stopB := l.run(1, way(l, 1, Options{}), idle)
				defer stopB()
				sleep(second)

				stop() // a handover
				require.False(l, a.Published())
				sleep(second)
				require.Equal(l, []string{"b"}, l.receives())
				removed := map[string]string{"label": "a=false", "slice": "invoicer-active-ipv4=[]"}[name]
				require.Less(l, strings.Index(l.story(), removed), strings.Index(l.story(), "released"), l.story())

				_, stopC := l.run(2, way(l, 2, Options{}), idle)
				defer stopC()
				sleep(second)
				l.Link("b").BlackHole() // as good as a crash
				sleep(20 * second)
				require.Equal(l, []string{"c"}, l.receives())
				l.Link("b").Heal()
				sleep(time.Minute)
				require.Equal(l, []string{"c"}, l.receives())
			})
		})
	}
}

// TestSlowServer: an end of a term waits for the withdrawal, but no longer than the stop budget.
func TestSlowServer(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				term := newTerm(1)
				stop := begin(way(l, 0, Options{}), term)
				sleep(second)
				l.Link("a").Inject(apiserver.Fault{Verbs: []string{"patch"}, DelayAfter: 2 * second})
				began := time.Now()
				stop()
				require.Equal(l, 2*second, time.Since(began))
				require.Empty(l, l.receives())

				stop = begin(way(l, 1, Options{}), newTerm(2))
				sleep(second)
				l.Link("b").BlackHole()
				began = time.Now()
				stop()
				require.Equal(l, 3*second, time.Since(began))
				require.Equal(l, []string{"b"}, l.receives(), "as after a crash")
			})
		})
	}
}

// TestReady: the address is published when work says so, and not before.
func TestReady(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.ship()
				r := way(l, 0, Options{AwaitReady: true})
				Ready(l.Context()) // does nothing
				_, stop := l.run(0, r, func(ctx context.Context, _ *singleton.Term) error {
					time.Sleep(5 * second)
					Ready(ctx)
					Ready(ctx)
					<-ctx.Done()
					return nil
				})
				defer stop()
				sleep(4 * second)
				require.False(l, r.Published())
				require.Empty(l, l.receives())
				sleep(2 * second)
				require.True(l, r.Published())
				require.Equal(l, []string{"a"}, l.receives())
			})
		})
	}
}

// TestAtEnd: what becomes of the address.
func TestAtEnd(t *testing.T) {
	inLab(t, func(l *lab) {
		begin := func(i int, epoch int64, o Options) func() {
			stop := begin(l.bySlice(i, o), newTerm(epoch))
			sleep(second)
			return stop
		}
		begin(0, 1, Options{AtEnd: Leave})()
		require.Equal(l, []string{"a"}, l.receives())
		stop := begin(1, 2, Options{AtEnd: Drain})
		require.Equal(l, []string{"b"}, l.receives())
		stop()
		require.Empty(l, l.receives())
		slice, err := l.admin.DiscoveryV1().EndpointSlices("shop").Get(l.Context(), "invoicer-active-ipv4", metav1.GetOptions{})
		require.NoError(l, err)
		text, err := json.Marshal(slice.Endpoints)
		require.NoError(l, err)
		require.JSONEq(l, `[{"addresses":["10.0.0.2"],"nodeName":"n",
			"conditions":{"ready":false,"serving":true,"terminating":true},
			"targetRef":{"kind":"Pod","namespace":"shop","name":"b","uid":"`+string(l.pods[1].UID)+`"}}]`, string(text))
		require.Equal(l, map[string]string{
			"kubernetes.io/service-name": "invoicer", "endpointslice.kubernetes.io/managed-by": "hotseat-go.github.io",
		}, slice.Labels)
		require.EqualValues(l, 8080, *slice.Ports[0].Port)
		// A term that is lost removes it, and a successor that waits keeps what drains.
		begin(0, 3, Options{})()
		require.Empty(l, l.receives())
	})
}

// TestTold: a failure is told once, and so is its end. Work goes on, or the term is given up.
func TestTold(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				var told []error
				o := Options{OnError: func(err error) { told = append(told, err) }}
				l.Forbid("a", "patch", "create")
				r := way(l, 0, o)
				stop := begin(r, newTerm(1))
				sleep(5 * time.Minute)
				require.Len(l, told, 1)
				require.ErrorIs(l, told[0], ErrRefused)
				require.ErrorContains(l, told[0], "cannot ")
				require.False(l, r.Published())
				l.Allow("a", "patch", "create")
				sleep(defaultRecheck)
				require.True(l, r.Published())
				stop()

				l.Forbid("a", "patch", "create")
				o.Required = true
				term := newTerm(2)
				stop = begin(way(l, 0, o), term)
				sleep(second)
				require.True(l, term.resigned.Load())
				stop()

				// A passing fault is tried again soon.
				l.Allow("a", "patch", "create")
				told = nil
				l.Link("a").Inject(apiserver.Fault{Count: 3, Status: 500})
				r = way(l, 0, o)
				defer begin(r, newTerm(3))()
				sleep(5 * second)
				require.Len(l, told, 1)
				require.NoError(l, kindOf(told[0]))
				require.True(l, r.Published())
			})
		})
	}
}

// TestMarks: a term does not touch what another term has marked.
func TestMarks(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				stop := begin(way(l, 0, Options{}), newTerm(7))
				sleep(second)
				var told error
				o := Options{OnError: func(err error) { told = err }}
				begin := func(epoch int64, scope string) {
					term := newTerm(epoch)
					term.token.Scope = scope
					stop := begin(way(l, 1, o), term)
					sleep(second)
					require.ErrorIs(l, told, ErrSuperseded)
					require.ErrorContains(l, told, "shop/invoicer@7.")
					stop()
					told = nil
				}
				begin(6, "shop/invoicer")
				begin(8, "shop/other")
				require.Equal(l, []string{"a"}, l.receives())
				stop()
				begin(6, "shop/invoicer") // also when it is over
			})
		})
	}
}

// TestSetup: what does not fit is said.
func TestSetup(t *testing.T) {
	inLab(t, func(l *lab) {
		tell := func(r *Router, err error) error {
			require.NoError(l, err)
			var told error
			r.options.OnError = func(err error) { told = err }
			r.options.Logger = slog.New(slog.DiscardHandler)
			stop := begin(r, newTerm(1))
			sleep(second)
			stop()
			return told
		}
		label := func(pods string, pod Pod) error {
			return tell(ByLabel(l.client("a"), LabelConfig{Options: Options{Pod: pod}, Pods: pods}))
		}
		err := label("app=other", l.pods[0])
		require.ErrorIs(l, err, ErrSetup)
		require.ErrorContains(l, err, `is not among the 0 Pods that "app=other" selects in namespace shop`)
		former := l.pods[0]
		former.UID = "former"
		require.ErrorIs(l, label("app=invoicer", former), ErrSetup)

		services := l.admin.CoreV1().Services("shop")
		slice := func(edit func(*corev1.ServiceSpec)) error {
			service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "invoicer"}}
			edit(&service.Spec)
			_ = services.Delete(l.Context(), "invoicer", metav1.DeleteOptions{})
			_, err := services.Create(l.Context(), service, metav1.CreateOptions{})
			require.NoError(l, err)
			return tell(BySlice(l.client("a"), SliceConfig{Options: Options{Pod: l.pods[0]}, Service: "invoicer"}))
		}
		require.ErrorContains(l, slice(func(*corev1.ServiceSpec) {}), "has no ports")
		require.ErrorContains(l, slice(func(s *corev1.ServiceSpec) { s.Selector = map[string]string{"a": "b"} }), "has a selector")
		require.ErrorContains(l, slice(func(s *corev1.ServiceSpec) {
			s.Ports = []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}}
		}), `targetPort "http" must be a number`)
		require.NoError(l, slice(func(s *corev1.ServiceSpec) {
			s.Ports = []corev1.ServicePort{
				{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}, {Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP},
			}
		}))
		got, err := l.admin.DiscoveryV1().EndpointSlices("shop").Get(l.Context(), "invoicer-active-ipv4", metav1.GetOptions{})
		require.NoError(l, err)
		require.Len(l, got.Ports, 2)
		require.EqualValues(l, 8080, *got.Ports[0].Port)
		require.EqualValues(l, "UDP", *got.Ports[1].Protocol)
	})
}

// TestDualStack: both families move together, without a version at which two replicas are ready.
func TestDualStack(t *testing.T) {
	inLab(t, func(l *lab) {
		for i := range l.pods {
			l.pods[i].IPs = append(l.pods[i].IPs, netip.MustParseAddr("fd00::"+string(rune('1'+i))))
		}
		begin(l.bySlice(0, Options{AtEnd: Leave}), newTerm(1))()
		stop := begin(l.bySlice(0, Options{AtEnd: Leave}), newTerm(2))
		sleep(second)
		require.Equal(l, []string{"a", "a"}, l.receives())
		stop()
		stop = begin(l.bySlice(1, Options{}), newTerm(3))
		sleep(second)
		require.Equal(l, []string{"b", "b"}, l.receives())
		stop()
		require.Empty(l, l.receives())
	})
}

// TestPanic: the address of work that panics is withdrawn, too.
func TestPanic(t *testing.T) {
	inLab(t, func(l *lab) {
		l.ship()
		e, err := singleton.New(l.Client("a"), singleton.Config{
			Namespace: "shop", Name: "invoicer", Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(l, err)
		r := l.byLabel(0, Options{})
		require.Panics(l, func() {
			_ = e.Run(context.Background(), r.Work(func(context.Context, *singleton.Term) error {
				time.Sleep(second)
				panic("work")
			}))
		})
		require.Equal(l, "a=true a=false", strings.SplitN(l.story(), " released", 2)[0])
	})
}

// TestConfig: each rule of a configuration, with the field and the value.
func TestConfig(t *testing.T) {
	for _, env := range []string{envName, envNamespace, envUID, envIPs, envIP, envNode} {
		t.Setenv(env, "")
	}
	c := apiserver.New(apiserver.Options{})
	defer c.Close()
	client := c.Client("a")
	pod := Pod{Namespace: "shop", Name: "a", UID: "u", IPs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	fields := func(err error) (fields []string) {
		joined, ok := errors.Unwrap(err).(interface{ Unwrap() []error })
		require.True(t, ok, "%v", err)
		for _, err := range joined.Unwrap() {
			var field *lease.FieldError
			require.ErrorAs(t, err, &field)
			fields = append(fields, field.Field)
		}
		return fields
	}
	label := func(change func(*LabelConfig)) error {
		config := LabelConfig{Options: Options{Pod: pod}, Pods: "app=invoicer"}
		change(&config)
		_, err := ByLabel(client, config)
		return err
	}
	require.NoError(t, label(func(*LabelConfig) {}))
	for _, test := range []struct {
		field  string
		change func(*LabelConfig)
	}{
		{"Pods", func(c *LabelConfig) { c.Pods = "" }},
		{"Pods", func(c *LabelConfig) { c.Pods = "a b" }},
		{"Pods", func(c *LabelConfig) { c.Pods = "!app" }},
		{"Pods", func(c *LabelConfig) { c.Pods += "," + DefaultKey + "=active" }},
		{"Key", func(c *LabelConfig) { c.Key = "a b" }},
		{"Key", func(c *LabelConfig) { c.Key = "x/" + strings.Repeat("k", 60) }},
		{"Recheck", func(c *LabelConfig) { c.Recheck = time.Millisecond }},
		{"AtEnd", func(c *LabelConfig) { c.AtEnd = Drain }},
		{"AtEnd", func(c *LabelConfig) { c.AtEnd = -1 }},
		{"Pod.Namespace", func(c *LabelConfig) { c.Pod.Namespace = "" }},
		{"Pod.Name", func(c *LabelConfig) { c.Pod.Name = "a/b" }},
		{"Pod.UID", func(c *LabelConfig) { c.Pod.UID = "" }},
	} {
		require.Equal(t, []string{test.field}, fields(label(test.change)), test.field)
	}
	_, err := ByLabel(nil, LabelConfig{})
	require.Equal(t, []string{"client", "Pod.Namespace", "Pod.Name", "Pod.UID", "Pods"}, fields(err))
	_, err = BySlice((*singleton.Client)(nil), SliceConfig{Options: Options{Pod: pod}, Service: "s"})
	require.Equal(t, []string{"client"}, fields(err))
	for _, test := range []struct {
		field  string
		change func(*SliceConfig)
	}{
		{"Service", func(c *SliceConfig) { c.Service = "" }},
		{"Ports[0].Port", func(c *SliceConfig) { c.Ports = []Port{{}} }},
		{"Ports[0].Protocol", func(c *SliceConfig) { c.Ports = []Port{{Port: 1, Protocol: "tcp"}} }},
		{"Ports[1].Name", func(c *SliceConfig) { c.Ports = []Port{{Port: 1}, {Port: 2}} }},
		{"Ports[0].Name", func(c *SliceConfig) { c.Ports = []Port{{Port: 1, Name: "A"}} }},
		{"Pod.IPs", func(c *SliceConfig) { c.Pod.IPs = nil }},
		{"Pod.IPs", func(c *SliceConfig) { c.Pod.IPs = append(c.Pod.IPs, c.Pod.IPs[0]) }},
	} {
		config := SliceConfig{Options: Options{Pod: pod}, Service: "s"}
		test.change(&config)
		_, err := BySlice(client, config)
		require.Equal(t, []string{test.field}, fields(err), test.field)
	}

	t.Setenv(envNamespace, "shop")
	t.Setenv(envName, "a")
	t.Setenv(envUID, "u")
	t.Setenv(envIPs, "10.0.0.1, fd00::1")
	t.Setenv(envNode, "n")
	r, err := BySlice(client, SliceConfig{Service: "s"})
	require.NoError(t, err)
	require.Equal(t, Pod{
		Namespace: "shop", Name: "a", UID: "u", Node: "n",
		IPs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
	}, r.options.Pod)
	t.Setenv(envIPs, "here")
	_, err = BySlice(client, SliceConfig{Service: "s"})
	require.ErrorContains(t, err, `Pod.IPs "here" must be addresses`)
}
