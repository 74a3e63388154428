// Package events tells of an elector's terms by Kubernetes Events, through client-go's recorder:
//
//	kubectl events --for lease/invoicer
//
// There are no Events without a recorder: give one to [New], and the hooks of the [Reporter] to the
// elector. [singleton.JoinHooks] joins them with hooks of your own.
//
//	reporter, err := events.New(recorder, events.Config{})
//	...
//	elector, err := singleton.New(client, singleton.Config{
//		Name:  "invoicer",
//		Hooks: singleton.JoinHooks(reporter.Hooks(), mine),
//	})
//
// # Which Events
//
// Each Event is about the Lease, unless Config.Regarding names another object. Its message has the
// identity of the replica. Of an error or a panic it says only that there was one, because an Event
// may be read by people who may not read the logs.
//
//	reason            type     when
//	BecameActive      Normal   the token was announced to the guards; work is about to start
//	Resigned          Normal   the term ended by Resign
//	ShutDown          Normal   the term ended with Run's context
//	WorkReturned      Normal   work returned by itself; Warning if it returned an error
//	NotRenewed        Warning  the Lease was not renewed in time
//	LeaseTaken        Warning  the Lease names another holder or term
//	LeaseCleared      Warning  the holder was removed from the Lease
//	LeaseDeleted      Warning  the Lease was deleted
//	Fenced            Warning  a higher epoch was written on the Lease
//	TokenRefused      Warning  a guard has seen a later token
//	GuardUnavailable  Warning  a guard could not decide
//	Panicked          Warning  work or a hook panicked
//	Stalled           Warning  work reported no progress
//	Overrun           Warning  work has outstayed its stop budget or drain limit
//	TermEnded         Warning  the term ended for a reason that this package does not know
//
// A term that ends before its token was announced has no Events. [singleton.Status] and the metrics
// tell of it.
//
// # What Events cost
//
// Events never delay a term. A hook puts an Event in a queue and returns. One goroutine hands the
// queue to the recorder, and exists only while there is something to hand over. If the recorder
// blocks, Events are left out once the queue is full.
//
// At first, Config.Burst Events may follow each other. From then on there is one in
// Config.Interval. The next Event says how many were left out. The defaults are below the limit of
// client-go's own broadcaster, which says nothing when it leaves one out.
//
// The last Event of a process is lost if the process ends before the recorder has sent it.
// [Reporter.Wait] waits until the recorder has it. client-go's recorder sends it later, and does
// not tell when.
//
// # Which recorder
//
// [Recorder] is what client-go's tools/record and controller-runtime's GetEventRecorderFor return.
// Their Events are of the core API group: there, the replica's Role needs create and patch on
// events. The newer tools/events imports the whole clientset of Kubernetes. If your program has a
// clientset anyway, [FromEvents] takes the recorders of tools/events, and those of
// controller-runtime's GetEventRecorder. They need the same rights in the group events.k8s.io.
// [NewSink] is for programs that have only a rest.Config.
//
// A program that does nothing but elect, built with client-go 0.35 and Go 1.26 for linux/amd64:
//
//	22.4 MB  without Events
//	32.1 MB  with client-go's broadcaster and NewSink: k8s.io/api/core/v1 is most of it
//	49.9 MB  with the broadcaster and the sink of client-go's clientset
//	50.0 MB  with tools/events
package events
