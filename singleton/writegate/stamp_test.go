package writegate_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor/direct"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/singleton/writegate"
)

const mark = kubefence.Annotation

func stamping(c *writegate.Config) {
	c.Stamp = []schema.GroupResource{
		{Resource: "configmaps"}, {Group: "coordination.k8s.io", Resource: "leases"}, {Resource: "pods"},
	}
}

// What is stamped, in each form, and what stays as it was.
func TestStamps(t *testing.T) {
	l := newLab(t)
	token := l.lead().Token().String()
	const maps, one = "/api/v1/namespaces/shop/configmaps", "/api/v1/namespaces/shop/configmaps/x"
	stamped := func(text string) string { return strings.ReplaceAll(text, "TOKEN", `"`+mark+`":"`+token+`"`) }
	appended := `{"op":"add","path":"/metadata/annotations/hotseat-go.github.io~1fencing-token","value":"` + token + `"}`
	const finalizer = `{"$setElementOrder/x":[],"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"$setElementOrder/finalizers":["b"]`
	for name, tt := range map[string]struct{ method, path, kind, body, want string }{
		"create":             {"POST", maps, "application/json", `{"metadata":{"name":"x"}}`, `{"metadata":{"name":"x","annotations":{TOKEN}}}`},
		"without a type":     {"POST", maps, "", `{}`, `{"metadata":{"annotations":{TOKEN}}}`},
		"update":             {"PUT", one, "application/json; charset=utf-8", `{"data":{"n":"1"},"metadata":{"annotations":{"a":"b"}}}`, `{"data":{"n":"1"},"metadata":{"annotations":{"a":"b",TOKEN}}}`},
		"an earlier mark":    {"PUT", one, "application/json", `{"metadata":{"annotations":{"` + mark + `":"shop/invoicer@1.00"}}}`, `{"metadata":{"annotations":{TOKEN}}}`},
		"null annotations":   {"PUT", one, "application/json", `{"metadata":{"annotations":null}}`, `{"metadata":{"annotations":{TOKEN}}}`},
		"null metadata":      {"PUT", one, "application/json", `{"metadata":null}`, `{"metadata":{"annotations":{TOKEN}}}`},
		"a dollar":           {"PUT", one, "application/json", `{"$x":1}`, `{"$x":1,"metadata":{"annotations":{TOKEN}}}`},
		"long numbers":       {"PUT", one, "application/json", `{"a":12345678901234567890,"b":1e2}`, `{"a":12345678901234567890,"b":1e2,"metadata":{"annotations":{TOKEN}}}`},
		"status":             {"PUT", one + "/status", "application/json", `{}`, `{"metadata":{"annotations":{TOKEN}}}`},
		"YAML":               {"PUT", one, "application/yaml", "data: {a: b}\n", `{"data":{"a":"b"},"metadata":{"annotations":{TOKEN}}}`},
		"merge":              {"PATCH", one, "application/merge-patch+json", `{"data":null}`, `{"data":null,"metadata":{"annotations":{TOKEN}}}`},
		"merge that removes": {"PATCH", one, "application/merge-patch+json", `{"metadata":{"annotations":{"` + mark + `":null}}}`, `{"metadata":{"annotations":{TOKEN}}}`},
		"strategic":          {"PATCH", one, "application/strategic-merge-patch+json", `{"spec":{"$patch":"replace"}}`, `{"spec":{"$patch":"replace"},"metadata":{"annotations":{TOKEN}}}`},
		"a finalizer less":   {"PATCH", one, "application/strategic-merge-patch+json", finalizer + `}}`, finalizer + `,"annotations":{TOKEN}}}`},
		"apply":              {"PATCH", one, "application/apply-patch+yaml", "kind: ConfigMap\n", `{"kind":"ConfigMap","metadata":{"annotations":{TOKEN}}}`},
		"apply of JSON":      {"PATCH", one, "application/apply-patch+yaml", ` {"n":12345678901234567890}`, `{"n":12345678901234567890,"metadata":{"annotations":{TOKEN}}}`},
		"JSON patch":         {"PATCH", one, "application/json-patch+json", `[{"op":"remove","path":"/data"}]`, `[{"op":"remove","path":"/data"},` + appended + `]`},
		"no JSON patch":      {"PATCH", one, "application/json-patch+json", `[]`, `[` + appended + `]`},
		"a dry run":          {"PUT", one + "?dryRun=All", "application/json", `{}`, `{"metadata":{"annotations":{TOKEN}}}`},

		"another resource":    {"POST", "/api/v1/namespaces/shop/secrets", "application/json", `{}`, `{}`},
		"another group":       {"POST", "/apis/x/v1/namespaces/shop/configmaps", "application/json", `{}`, `{}`},
		"an eviction":         {"POST", "/api/v1/namespaces/shop/pods/x/eviction", "application/json", `{}`, `{}`},
		"a resize":            {"PATCH", "/api/v1/namespaces/shop/pods/x/resize", "application/merge-patch+json", `{}`, `{}`},
		"a delete":            {"DELETE", one, "application/json", `{}`, `{}`},
		"the elector's Lease": {"PATCH", "/apis/coordination.k8s.io/v1/namespaces/shop/leases/invoicer", "application/merge-patch+json", `{}`, `{}`},
	} {
		server := &seen{}
		err := write(t, l.gate(stamping).Transport(server), tt.method, tt.path, tt.kind, tt.body)
		require.NoError(t, err, name)
		if want := stamped(tt.want); want != tt.want || tt.body != tt.want {
			require.JSONEq(t, want, server.bodies[0], name)
		} else {
			require.Equal(t, tt.want, server.bodies[0], name)
		}
		if strings.Contains(tt.body, "12345678901234567890") {
			require.Contains(t, server.bodies[0], "12345678901234567890", "%s: JSON's equality does not see the last digits", name)
		}
		require.EqualValues(t, len(server.bodies[0]), server.requests[0].ContentLength, name)
	}
}

func TestStampsCBOR(t *testing.T) {
	l := newLab(t)
	token := l.lead().Token().String()
	for kind, method := range map[string]string{"application/cbor": "PUT", "application/apply-patch+cbor": "PATCH"} {
		server := &seen{}
		body, err := direct.Marshal(map[string]any{
			"kind": "ConfigMap", "n": int64(1) << 62, "f": 0.5, "metadata": map[string]any{"annotations": map[string]any{"a": "b"}},
		})
		require.NoError(t, err)
		require.NoError(t, write(t, l.gate(stamping).Transport(server), method, "/api/v1/namespaces/shop/configmaps/x", kind, string(body)))
		var sent map[string]any
		require.NoError(t, direct.Unmarshal([]byte(server.bodies[0]), &sent))
		require.Equal(t, map[string]any{
			"kind": "ConfigMap", "n": int64(1) << 62, "f": 0.5, "metadata": map[string]any{"annotations": map[string]any{"a": "b", mark: token}},
		}, sent)
	}
}

// What cannot carry a token is refused, and says what is in the way.
func TestUnstampable(t *testing.T) {
	l := newLab(t)
	l.lead()
	const one = "/api/v1/namespaces/shop/configmaps/x"
	null, err := direct.Marshal(nil)
	require.NoError(t, err)
	list, err := direct.Marshal(map[string]any{"metadata": []any{}})
	require.NoError(t, err)
	protobuf, err := (&corev1.ConfigMap{Data: map[string]string{"a": "b"}}).Marshal()
	require.NoError(t, err)
	const merge, strategic = "application/merge-patch+json", "application/strategic-merge-patch+json"
	for name, tt := range map[string]struct{ method, kind, body, why string }{
		"an unknown type":          {"PUT", "text/plain", `{}`, `its Content-Type is "text/plain", which the gate does not know`},
		"a broken type":            {"PUT", ";", `{}`, `its Content-Type is ";"`},
		"a patch without a type":   {"PATCH", "", `{}`, `its Content-Type is "", which`},
		"a patch as an object":     {"PATCH", "application/json", `{}`, `its Content-Type is "application/json", which`},
		"a patch in protobuf":      {"PATCH", "application/vnd.kubernetes.protobuf", `{}`, `which the gate does not know`},
		"an update as a patch":     {"PUT", "application/vnd.kubernetes.protobuf;stream=watch", `{}`, `does not begin as protobuf`},
		"no body":                  {"PUT", "application/json", ``, `it has no body`},
		"null":                     {"PUT", "application/json", `null`, `its body is null`},
		"a list":                   {"PUT", "application/json", `[]`, `its body is no object`},
		"broken JSON":              {"PUT", "application/json", `{"a"`, `its body is no object`},
		"broken YAML":              {"PUT", "application/yaml", "a: [", `its body is neither JSON nor YAML`},
		"metadata of another kind": {"PUT", "application/json", `{"metadata":[]}`, `its metadata is no object`},
		"annotations too":          {"PUT", "application/json", `{"metadata":{"annotations":"a"}}`, `its annotations is no object`},
		"removed metadata":         {"PATCH", merge, `{"metadata":null}`, `its metadata is null, which would remove the mark`},
		"removed annotations":      {"PATCH", merge, `{"metadata":{"annotations":null}}`, `its annotations is null, which would remove the mark`},
		"a directive":              {"PATCH", strategic, `{"$patch":"delete"}`, `it has the directive $patch`},
		"one in metadata":          {"PATCH", strategic, `{"metadata":{"$retainKeys":["labels"]}}`, `it has the directive $retainKeys`},
		"one in annotations":       {"PATCH", strategic, `{"metadata":{"annotations":{"$patch":"delete"}}}`, `it has the directive $patch`},
		"no list of operations":    {"PATCH", "application/json-patch+json", `{}`, `its body is no list of operations`},
		"no operations":            {"PATCH", "application/json-patch+json", `null`, `its body is null`},
		"broken protobuf":          {"PUT", "application/vnd.kubernetes.protobuf", "k8s\x00\x0a\x7f", `its body is no object`},
		"no envelope":              {"PUT", "application/vnd.kubernetes.protobuf", string(protobuf), `does not begin as protobuf`},
		"null in CBOR":             {"PUT", "application/cbor", string(null), `its body is null`},
		"broken CBOR":              {"PUT", "application/cbor", "\xff", `its body is no object`},
		"a list in CBOR":           {"PUT", "application/cbor", string(list), `its metadata is no object: it is a []interface {}`},
		"too long":                 {"PUT", "application/json", `"` + strings.Repeat("x", 16<<20), `its body is longer than 16777216 bytes`},
	} {
		server := &seen{}
		err := write(t, l.gate(stamping).Transport(server), tt.method, one, tt.kind, tt.body)
		require.ErrorIs(t, err, writegate.ErrUnstampable, name)
		require.NotErrorIs(t, err, writegate.ErrNotActive, name)
		require.ErrorContains(t, err, "writegate: "+tt.method+" "+one+" was not sent: it cannot carry a token: ", name)
		require.ErrorContains(t, err, tt.why, name)
		refused, _ := errors.AsType[*writegate.Error](err)
		require.Equal(t, writegate.ReasonUnstampable, refused.Reason)
		require.Zero(t, server.count(), name)
	}

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://api"+one, strings.NewReader("{}"))
	require.NoError(t, err)
	request.Header.Set("Content-Encoding", "gzip")
	_, err = l.gate(stamping).Transport(&seen{}).RoundTrip(request)
	require.ErrorIs(t, err, writegate.ErrUnstampable)
	require.ErrorContains(t, err, `its Content-Encoding is "gzip", must be none`)
}

// A patch that a typed client computes for a finalizer can be stamped, and still does what it did.
func TestStampedPatchOfAFinalizer(t *testing.T) {
	l, server := newLab(t), &seen{}
	token := l.lead().Token().String()
	before, after := `{"metadata":{"finalizers":["a","b"]}}`, `{"metadata":{"finalizers":["b"]}}`
	patch, err := strategicpatch.CreateTwoWayMergePatch([]byte(before), []byte(after), corev1.ConfigMap{})
	require.NoError(t, err)
	require.NoError(t, write(t, l.gate(stamping).Transport(server), "PATCH",
		"/api/v1/namespaces/shop/configmaps/x", string(types.StrategicMergePatchType), string(patch)))
	merged, err := strategicpatch.StrategicMergePatch([]byte(before), []byte(server.bodies[0]), corev1.ConfigMap{})
	require.NoError(t, err)
	require.JSONEq(t, `{"metadata":{"finalizers":["b"],"annotations":{"`+mark+`":"`+token+`"}}}`, string(merged))
}

// Each attempt has the token of that moment, which a raise changes.
func TestStampOfARaisedTerm(t *testing.T) {
	l := newLab(t)
	term := l.lead()
	gate, server := l.gate(stamping), &seen{}
	const one = "/api/v1/namespaces/shop/configmaps/x"
	require.NoError(t, write(t, gate.Transport(server), "PUT", one, "", `{}`))
	first := term.Token()
	require.NoError(t, term.Raise(context.Background(), first.Epoch))
	require.NoError(t, write(t, gate.Transport(server), "PUT", one, "", `{}`))
	require.Contains(t, server.bodies[0], first.String())
	require.Contains(t, server.bodies[1], term.Token().String())
	require.NotEqual(t, first, term.Token())
}

// Typed clients over each wire format, against a server that merges what it gets as Kubernetes does.
func TestStampsOnAServer(t *testing.T) {
	for _, contentType := range []string{"application/json", "application/vnd.kubernetes.protobuf"} {
		l := newLab(t)
		token := l.lead().Token().String()
		config := l.gate(stamping).Wrap(l.cluster.RESTConfig("app"))
		config.ContentType = contentType
		objects := leases(t, config)
		fresh := object("bill")
		fresh.Labels, fresh.Annotations = map[string]string{"a": "b"}, map[string]string{"c": "d", mark: "shop/invoicer@1.0"}
		fresh.Spec.HolderIdentity = new(string)
		created, err := objects.Create(t.Context(), fresh, metav1.CreateOptions{})
		require.NoError(t, err)
		require.Equal(t, map[string]string{"c": "d", mark: token}, created.Annotations)
		require.Equal(t, fresh.Labels, created.Labels)
		require.Equal(t, "bill", created.Name)
		require.Equal(t, "shop/invoicer@1.0", fresh.Annotations[mark], "the caller's own object stays as it is")

		updated, err := objects.Update(t.Context(), &coordv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: "bill", ResourceVersion: created.ResourceVersion},
		}, metav1.UpdateOptions{})
		require.NoError(t, err)
		require.Equal(t, map[string]string{mark: token}, updated.Annotations)
		for kind, patch := range map[types.PatchType]string{
			types.MergePatchType: `{"metadata":{"labels":{"e":"f"}}}`,
			types.JSONPatchType:  `[{"op":"add","path":"/metadata/annotations/g","value":"h"}]`,
		} {
			patched, err := objects.Patch(t.Context(), "bill", kind, []byte(patch), metav1.PatchOptions{})
			require.NoError(t, err)
			require.Equal(t, token, patched.Annotations[mark])
		}
	}
}

// Protobuf of any kind is stamped without its type being known.
func TestStampsProtobuf(t *testing.T) {
	l, server := newLab(t), &seen{}
	token := l.lead().Token().String()
	config := l.gate(stamping).Wrap(&rest.Config{Host: "http://api", Transport: server})
	config.ContentType = "application/vnd.kubernetes.protobuf"
	clientset, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	want := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "x", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}, Finalizers: []string{"f"},
	}, Spec: corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{{Name: "main"}}}}
	_, err = clientset.CoreV1().Pods("shop").Create(t.Context(), want, metav1.CreateOptions{})
	require.NoError(t, err)
	got := podIn(t, server.bodies[0])
	want.Annotations[mark] = token
	require.Equal(t, want.ObjectMeta, got.ObjectMeta)
	require.Equal(t, want.Spec, got.Spec)
}

func write(t *testing.T, transport http.RoundTripper, method, path, kind, body string) error {
	request, err := http.NewRequestWithContext(t.Context(), method, "http://api"+path, nil)
	if body != "" {
		request, err = http.NewRequestWithContext(t.Context(), method, "http://api"+path, strings.NewReader(body))
	}
	require.NoError(t, err)
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}
