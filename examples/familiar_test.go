package examples

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/events"
)

// runWithEvents runs a replica whose terms have Kubernetes Events.
func runWithEvents(ctx context.Context, config *rest.Config) error {
	sink, err := events.NewSink(config) // or EventSinkImpl of a clientset that you have
	if err != nil {
		return err
	}
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(sink)
	source := corev1.EventSource{Component: "invoicer"}
	recorder := broadcaster.NewRecorder(runtime.NewScheme(), source)
	reporter, err := events.New(recorder, events.Config{})
	if err != nil {
		return err
	}
	client, err := singleton.NewClient(config)
	if err != nil {
		return err
	}
	elector, err := singleton.New(client, singleton.Config{
		Name:  "invoicer",
		Hooks: reporter.Hooks(),
	})
	if err != nil {
		return err
	}
	err = elector.Run(ctx, work)
	time.Sleep(time.Second) // client-go sends the last Event now, and does not tell when it has
	return err
}

var _ = runWithEvents

// joinLogs sends what client-go logs where hotseat's logs go. The result is for Config.Logger.
func joinLogs(handler slog.Handler) *slog.Logger {
	logger := slog.New(handler)
	klog.SetSlogLogger(logger.With("from", "client-go")) // for the whole process
	return logger
}

func TestKlogGoesThroughSlog(t *testing.T) {
	defer klog.ClearLogger()
	var out bytes.Buffer
	logger := joinLogs(slog.NewTextHandler(&out, nil))
	logger.Info("acquired", "lease", "invoicer")
	klog.InfoS("Waited before sending request", "delay", "1s")
	klog.ErrorS(context.Canceled, "Unable to write event")
	require.Regexp(t, `^time=\S+ level=INFO msg=acquired lease=invoicer
time=\S+ level=INFO msg="Waited before sending request" from=client-go delay=1s
time=\S+ level=ERROR msg="Unable to write event" from=client-go err="context canceled"
$`, out.String())
}

// onlyHolders is OnNewLeader of client-go, as programs use it: told of other holders only.
func onlyHolders(onNewLeader func(identity string)) singleton.Hooks {
	return singleton.Hooks{OnHolder: func(h singleton.Holder) {
		if h.Identity != "" && !h.Self {
			onNewLeader(h.Identity)
		}
	}}
}

func TestOnlyHolders(t *testing.T) {
	var told []string
	hook := onlyHolders(func(identity string) { told = append(told, identity) }).OnHolder
	hook(singleton.Holder{Identity: "a", Self: true})
	hook(singleton.Holder{})
	hook(singleton.Holder{Identity: "b"})
	require.Equal(t, []string{"b"}, told)
}
