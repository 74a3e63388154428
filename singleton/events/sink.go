package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/lease"
)

// sinkTimeout is how long a request may take, if the rest.Config does not say. client-go's
// broadcaster sends one Event after the other, and tries each again by itself.
const sinkTimeout = 10 * time.Second

// Sink sends Events to an API server. It is a record.EventSink: give it to StartRecordingToSink of
// a broadcaster of tools/record. It needs the verbs create and patch on events. It is safe for
// concurrent use.
type Sink struct{ client *rest.RESTClient }

// NewSink returns a [Sink] for a copy of config. Requests time out after config.Timeout, or after
// 10 s if that is zero. They share no rate limiter with an elector.
func NewSink(config *rest.Config) (*Sink, error) {
	if config == nil {
		return nil, &lease.FieldError{Field: "config", Value: nil, Rule: "must not be nil"}
	}
	known := runtime.NewScheme()
	known.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.Event{})
	metav1.AddToGroupVersion(known, corev1.SchemeGroupVersion) // Status and options
	config = rest.CopyConfig(config)
	config.GroupVersion, config.APIPath = &corev1.SchemeGroupVersion, "/api"
	config.NegotiatedSerializer = serializer.NewCodecFactory(known).WithoutConversion()
	config.Timeout = cmp.Or(config.Timeout, sinkTimeout)
	config.ContentType = cmp.Or(config.ContentType, runtime.ContentTypeJSON)
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	return &Sink{client}, nil
}

// Create implements record.EventSink.
func (s *Sink) Create(event *corev1.Event) (*corev1.Event, error) {
	return s.send(event, s.client.Post().Body(event))
}

// Update implements record.EventSink.
func (s *Sink) Update(event *corev1.Event) (*corev1.Event, error) {
	return s.send(event, s.client.Put().Name(event.Name).Body(event))
}

// Patch implements record.EventSink.
func (s *Sink) Patch(event *corev1.Event, patch []byte) (*corev1.Event, error) {
	request := s.client.Patch(types.StrategicMergePatchType)
	return s.send(event, request.Name(event.Name).Body(patch))
}

func (s *Sink) send(event *corev1.Event, request *rest.Request) (*corev1.Event, error) {
	if event.Namespace == "" {
		return nil, errors.New("events: an Event has no namespace")
	}
	sent := &corev1.Event{}
	err := request.Namespace(event.Namespace).Resource("events").
		Do(context.Background()).Into(sent) // the interface gives no context; Timeout ends it
	if err != nil {
		return nil, err // as it is: the broadcaster tells by its type whether to try again
	}
	return sent, nil
}
