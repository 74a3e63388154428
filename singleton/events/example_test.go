package events_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/events"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// Events about this replica's Pod, which kubectl describe pod then shows. The downward API gives the
// name and the UID (fieldPath: metadata.uid).
func ExampleConfig() {
	pod := &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: os.Getenv("POD_NAMESPACE"), Name: os.Getenv("POD_NAME"), UID: types.UID(os.Getenv("POD_UID")),
		},
	}
	_, err := events.New(record.NewFakeRecorder(10), events.Config{Regarding: pod})
	fmt.Println(err)
	_, err = events.New(nil, events.Config{Burst: -1})
	fmt.Println(err)
	// Output:
	// <nil>
	// recorder <nil> must not be nil
	// Burst -1 must not be negative
}

// A program without a clientset gives client-go's broadcaster this sink.
func ExampleNewSink() {
	sink, err := events.NewSink(&rest.Config{Host: "https://192.0.2.1"}) // or rest.InClusterConfig
	if err != nil {
		panic(err)
	}
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(sink)
	recorder := broadcaster.NewRecorder(runtime.NewScheme(), corev1.EventSource{Component: "invoicer"})
	_, err = events.New(recorder, events.Config{})
	fmt.Println(err)
	// Output: <nil>
}

// In a service the recorder comes from a broadcaster, or from the manager of controller-runtime.
func ExampleReporter() {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	recorder := record.NewFakeRecorder(10)
	reporter, err := events.New(recorder, events.Config{})
	if err != nil {
		panic(err)
	}
	mine := singleton.Hooks{OnLose: func(*singleton.Term, error) { fmt.Println("my own hook") }}
	elector, err := singleton.New(cluster.Client("a"), singleton.Config{
		Name: "invoicer", Namespace: "shop", Logger: slog.New(slog.DiscardHandler),
		Hooks: singleton.JoinHooks(reporter.Hooks(), mine),
	})
	if err != nil {
		panic(err)
	}
	err = elector.Run(context.Background(), func(context.Context, *singleton.Term) error { return nil })
	fmt.Println("Run:", err)
	if err := reporter.Wait(context.Background()); err != nil {
		panic(err)
	}
	close(recorder.Events)
	for event := range recorder.Events {
		fmt.Println(strings.ReplaceAll(event, elector.Identity(), "invoicer-0"))
	}
	// Output:
	// my own hook
	// Run: <nil>
	// Normal BecameActive invoicer-0 became active with epoch 2
	// Normal WorkReturned invoicer-0 is not active any more: its work returned
}
