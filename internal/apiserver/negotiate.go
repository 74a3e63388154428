package apiserver

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// served are the media types of kube-apiserver that this server speaks.
func served() []runtime.SerializerInfo {
	var infos []runtime.SerializerInfo
	for _, i := range scheme.Codecs.SupportedMediaTypes() {
		if i.MediaType == runtime.ContentTypeJSON || i.MediaType == runtime.ContentTypeProtobuf {
			infos = append(infos, i)
		}
	}
	return infos
}

// acceptable returns the serializer of the first media type in the Accept header
// that is served. Transformed answers (;as=Table) are not: kubectl then takes
// the plain type that it lists behind them.
func acceptable(h http.Header, stream bool) (runtime.SerializerInfo, error) {
	infos := served()
	usable := func(i runtime.SerializerInfo) bool { return !stream || i.StreamSerializer != nil }
	header := strings.Join(h.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		header = "*/*"
	}
	for clause := range strings.SplitSeq(header, ",") {
		if info, ok := runtime.SerializerInfoForMediaType(infos, clause); ok && usable(info) {
			return info, nil // the usual case needs no parsing
		}
		mediaType, params, err := mime.ParseMediaType(clause)
		if err != nil || params["as"] != "" {
			continue
		}
		if mediaType == "*/*" || mediaType == "application/*" {
			mediaType = runtime.ContentTypeJSON
		}
		if info, ok := runtime.SerializerInfoForMediaType(infos, mediaType); ok && usable(info) {
			return info, nil
		}
	}
	return runtime.SerializerInfo{}, &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotAcceptable, Reason: metav1.StatusReasonNotAcceptable,
		Message: "only the following media types are accepted: " + mediaTypes(infos),
	}}
}

// contentType returns the serializer of a request body.
func contentType(h http.Header) (runtime.SerializerInfo, error) {
	infos := served()
	mediaType := h.Get("Content-Type")
	if mediaType == "" {
		mediaType = runtime.ContentTypeJSON
	}
	if parsed, _, err := mime.ParseMediaType(mediaType); err == nil {
		if info, ok := runtime.SerializerInfoForMediaType(infos, parsed); ok {
			return info, nil
		}
	}
	return runtime.SerializerInfo{}, unsupportedMediaType(mediaTypes(infos))
}

func unsupportedMediaType(accepted string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
		Message: "the body of the request was in an unknown format - accepted media types include: " + accepted,
	}}
}

func mediaTypes(infos []runtime.SerializerInfo) string {
	var names []string
	for _, i := range infos {
		names = append(names, i.MediaType)
	}
	return strings.Join(names, ", ")
}

// decodeObject reads the object in the body of a create or an update.
func decodeObject(r *request) (object, error) {
	info, err := contentType(r.header)
	if err != nil {
		return nil, err
	}
	serializer := info.Serializer
	if r.query.Get("fieldValidation") == metav1.FieldValidationStrict && info.StrictSerializer != nil {
		serializer = info.StrictSerializer
	}
	want := r.res.gvk()
	into := r.res.newItem()
	got, gvk, err := serializer.Decode(r.body, &want, into)
	if err != nil {
		if gvk != nil && gvk.Kind != "" {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", gvk.Kind, gvk.Version, want.Kind, err))
		}
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the object provided is unrecognized (must be of type %s): %v (%d bytes)", want.Kind, err, len(r.body)))
	}
	if gvk.Kind != want.Kind || gvk.Group != want.Group {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s", gvk.Kind, gvk.Version, want.Kind))
	}
	if got != runtime.Object(into) || gvk.Version != want.Version {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) does not match the expected API version (%s)", gvk.GroupVersion(), want.GroupVersion()))
	}
	return into, nil
}

// encode writes o, which must carry its kind, with the given serializer.
func encode(e runtime.Encoder, o runtime.Object) ([]byte, error) {
	var b bytes.Buffer
	if err := e.Encode(o, &b); err != nil {
		return nil, fmt.Errorf("encode %T: %w", o, err)
	}
	return b.Bytes(), nil
}

// withKind returns a copy of a stored object that names its kind.
func withKind(o runtime.Object, gvk schema.GroupVersionKind) runtime.Object {
	o = o.DeepCopyObject()
	o.GetObjectKind().SetGroupVersionKind(gvk)
	return o
}

// statusOf turns any error into the Status that the server answers.
func statusOf(err error) *metav1.Status {
	status := metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusInternalServerError,
		Reason: metav1.StatusReasonUnknown, Message: err.Error(),
	}
	if s, ok := err.(apierrors.APIStatus); ok {
		status = s.Status()
	}
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return &status
}
