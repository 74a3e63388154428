package objectstore

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
)

// manifest is the one object that is compared and swapped.
type manifest struct {
	Token   fencing.Token     `json:"token,omitzero"` // the mark
	Write   string            `json:"write"`          // random id of the write that made it; no two manifests are equal
	Objects map[string]string `json:"objects"`        // name to key
}

// decode reads a manifest of scope. What is damaged is an error, never a manifest without a mark. The errors of package
// fencing are not wrapped: they are about a caller's token.
func decode(data []byte, scope string) (manifest, error) {
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return manifest{}, fmt.Errorf("manifest: %v", err) //nolint:errorlint // see above
	}
	if err := m.Token.Validate(); err != nil {
		return manifest{}, fmt.Errorf("manifest: %v", err) //nolint:errorlint // see above
	}
	if m.Token.Scope != scope {
		return manifest{}, fmt.Errorf("manifest: it is of %q, want %q", m.Token.Scope, scope)
	}
	if m.Write == "" {
		return manifest{}, errors.New("manifest: no id of its write")
	}
	return m, nil
}
