package singleton_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// TestClientAsksAsTheGeneratedOne: Client makes the requests that client-go's generated client for
// Leases makes, byte by byte, and hands on the same answers.
func TestClientAsksAsTheGeneratedOne(t *testing.T) {
	for _, content := range []string{"", runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		t.Run(content, func(t *testing.T) {
			ask := func(connect func(*rest.Config) (lease.Client, error)) []string {
				c := apiserver.New(apiserver.Options{Namespaces: []string{"shop"}})
				defer c.Close()
				told := &record{}
				config := c.RESTConfig("a")
				config.ContentType, config.UserAgent = content, "same"
				config.Wrap(told.wrap)
				client, err := connect(config)
				require.NoError(t, err)
				told.scenes(t, client)
				return told.lines
			}
			generated := ask(func(config *rest.Config) (lease.Client, error) {
				client, err := coordclient.NewForConfig(config)
				return client.Leases("shop"), err
			})
			ours := ask(func(config *rest.Config) (lease.Client, error) {
				client, err := singleton.NewClient(config)
				return client.Leases("shop"), err
			})
			require.Greater(t, len(generated), 20)
			require.Equal(t, generated, ours)
		})
	}
}

// record is what was asked and what came of it.
type record struct{ lines []string }

func (r *record) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(q *http.Request) (*http.Response, error) {
		var body []byte
		if q.Body != nil {
			body, _ = io.ReadAll(q.Body)
			q.Body = io.NopCloser(bytes.NewReader(body))
		}
		r.lines = append(r.lines, fmt.Sprintf("%s %s accept=%q type=%q agent=%q\n%q", q.Method, q.URL,
			q.Header.Get("Accept"), q.Header.Get("Content-Type"), q.UserAgent(), body))
		return next.RoundTrip(q)
	})
}

// scenes makes each request with all the options that lease uses, and some that fail.
func (r *record) scenes(t *testing.T, client lease.Client) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := func(l *coordv1.Lease, err error) {
		l = l.DeepCopy()
		if l != nil {
			l.UID, l.CreationTimestamp = "", metav1.Time{}
		}
		r.lines = append(r.lines, fmt.Sprintf("%v %v %v", l, apierrors.ReasonForError(err), err))
	}
	holder := "a"
	one := newLease()
	got(client.Create(ctx, one, metav1.CreateOptions{FieldManager: "hotseat"}))
	got(client.Create(ctx, one, metav1.CreateOptions{}))
	got(client.Get(ctx, "invoicer", metav1.GetOptions{}))
	got(client.Get(ctx, "none", metav1.GetOptions{}))
	list, err := client.List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=invoicer", ResourceVersion: "0"})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	one = &list.Items[0]
	one.Spec.HolderIdentity = &holder
	one.UID, one.CreationTimestamp = "", metav1.Time{} // chance and time
	got(client.Update(ctx, one, metav1.UpdateOptions{FieldManager: "hotseat", DryRun: []string{metav1.DryRunAll}}))
	got(client.Update(ctx, one, metav1.UpdateOptions{}))
	got(client.Update(ctx, one, metav1.UpdateOptions{}))
	got(client.Patch(ctx, "invoicer", types.JSONPatchType, []byte(`[{"op":"remove","path":"/spec/holderIdentity"}]`), metav1.PatchOptions{FieldManager: "hotseat"}))
	got(client.Patch(ctx, "invoicer", types.MergePatchType, []byte(`{`), metav1.PatchOptions{}))
	seconds := int64(300)
	w, err := client.Watch(ctx, metav1.ListOptions{
		ResourceVersion: list.ResourceVersion, TimeoutSeconds: &seconds, AllowWatchBookmarks: true, FieldSelector: "metadata.name=invoicer",
	})
	require.NoError(t, err)
	defer w.Stop()
	event := <-w.ResultChan()
	require.Equal(t, watch.Modified, event.Type)
	got(event.Object.(*coordv1.Lease), nil) //nolint:forcetypeassert // a panic is a failure here
	_, err = client.Watch(ctx, metav1.ListOptions{ResourceVersion: "x"})
	got(nil, err)
}

// TestClientForOthers: packages around the elector make their requests over its client.
func TestClientForOthers(t *testing.T) {
	c := apiserver.New(apiserver.Options{})
	defer c.Close()
	client, err := singleton.NewClient(c.RESTConfig("a"))
	require.NoError(t, err)
	pods := client.RESTClient().Get().AbsPath("/api/v1/namespaces/shop/pods")
	body, err := pods.SetHeader("Accept", runtime.ContentTypeJSON).Do(t.Context()).Raw()
	require.NoError(t, err)
	require.Contains(t, string(body), `"kind":"PodList"`)
	c.Forbid("a", "list")
	_, err = pods.Do(t.Context()).Raw()
	require.True(t, apierrors.IsForbidden(err), "%v", err)
}

// TestNewClientRefuses: an error says what is wrong with a configuration.
func TestNewClientRefuses(t *testing.T) {
	_, err := singleton.NewClient(nil)
	var field *lease.FieldError
	require.ErrorAs(t, err, &field)
	require.Equal(t, "config", field.Field)
	_, err = singleton.NewClient(&rest.Config{Host: "://"})
	require.ErrorContains(t, err, "singleton: ")
}
