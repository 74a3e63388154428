package writegate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/fencing"
)

// maxBody is the longest body that is stamped. The API server takes 3 MiB, and says so.
const maxBody = 16 << 20

// carries reports whether a write of t has a place for a token.
func carries(r *http.Request, t target) bool {
	switch r.Method {
	case http.MethodPost:
		return t.name == ""
	case http.MethodPut, http.MethodPatch:
		return t.name != "" && (t.subresource == "" || t.subresource == "status")
	}
	return false
}

// stamp puts the token into r's body. r is a copy of the caller's.
func stamp(r *http.Request, token fencing.Token) error {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" {
		return fmt.Errorf("its Content-Encoding is %q, must be none", encoding)
	}
	format, err := stampOf(r.Method, r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if !hasBody(r) {
		return errors.New("it has no body")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	_ = r.Body.Close()
	if err != nil {
		return fmt.Errorf("reading its body: %w", err)
	}
	if len(body) > maxBody {
		return fmt.Errorf("its body is longer than %d bytes", maxBody)
	}
	if body, err = format(body, token.String()); err != nil {
		return err
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	r.ContentLength = int64(len(body))
	return nil
}

// stampOf returns what stamps a body of that type. The API server takes a missing type for JSON,
// but not for a patch.
func stampOf(method, contentType string) (func(body []byte, token string) ([]byte, error), error) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && contentType != "" {
		return nil, fmt.Errorf("its Content-Type is %q: %w", contentType, err)
	}
	if method != http.MethodPatch {
		switch media {
		case "", runtime.ContentTypeJSON, runtime.ContentTypeYAML:
			return whole.stampText, nil
		case runtime.ContentTypeProtobuf:
			return stampProtobuf, nil
		case runtime.ContentTypeCBOR:
			return whole.stampCBOR, nil
		}
	}
	switch types.PatchType(media) {
	case types.MergePatchType, types.StrategicMergePatchType, types.ApplyYAMLPatchType:
		return partial.stampText, nil
	case types.ApplyCBORPatchType:
		return partial.stampCBOR, nil
	case types.JSONPatchType:
		return stampJSONPatch, nil
	}
	return nil, fmt.Errorf("its Content-Type is %q, which the gate does not know", contentType)
}
