package apiserver_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

// liar answers writes with 200 and a body of its own, after the server has
// stored them if it passes them on.
type liar struct {
	http.RoundTripper
	body   string
	passOn bool
}

func (l liar) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return l.RoundTripper.RoundTrip(r)
	}
	if l.passOn {
		answer, err := l.RoundTripper.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		_ = answer.Body.Close()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(l.body)), Request: r,
	}, nil
}

// TestAnswersThatLie: a wrapped transport is enough for them, and the link's
// faults still apply to what is passed on.
func TestAnswersThatLie(t *testing.T) {
	const another = `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"seat"},"spec":{"holderIdentity":"liar"}}`
	for _, passOn := range []bool{false, true} {
		for body, holder := range map[string]*string{`{}`: nil, another: new("liar")} {
			synctest.Test(t, func(t *testing.T) {
				c := apiserver.New(apiserver.Options{})
				defer c.Close()
				w := (&world{T: t, Cluster: c, config: inMemory(c)}).prepared()
				config := c.RESTConfig("a")
				config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return liar{rt, body, passOn} })
				client, err := kubernetes.NewForConfig(config)
				require.NoError(t, err)
				got, err := client.CoordinationV1().Leases(ns).Patch(t.Context(), "seat", "application/merge-patch+json",
					[]byte(`{"spec":{"holderIdentity":"a"}}`), metav1.PatchOptions{})
				require.NoError(t, err, "client-go takes even {} for a Lease")
				require.Equal(t, holder, got.Spec.HolderIdentity)
				require.Equal(t, map[bool]string{false: "nobody", true: "a"}[passOn], w.holder())
			})
		}
	}
}
