package filestore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/hotseat-go/hotseat/fencing"
)

const magic = "hotseat fencing mark 1"

// maxSize is more than any mark needs. A larger file is not a mark.
const maxSize = 1 << 10

var errForeign = errors.New("not a mark, or damaged")

// fileName is the name of a scope's file. A scope may be too long for a file name, and two scopes
// may differ only in case.
func fileName(scope string) string { return fmt.Sprintf("%x.mark", sha256.Sum256([]byte(scope))) }

// tempName is the name under which a mark is first written.
func tempName(name string) string { return strings.TrimSuffix(name, ".mark") + ".tmp" }

// encode returns the content of a mark's file.
func encode(mark fencing.Token) []byte {
	text := magic + "\n" + mark.String() + "\n"
	return fmt.Appendf([]byte(text), "sha256 %x\n", sha256.Sum256([]byte(text)))
}

// decode accepts exactly what encode writes for a token of scope.
func decode(data []byte, scope string) (fencing.Token, error) {
	if lines := strings.SplitN(string(data), "\n", 3); len(lines) == 3 {
		mark, err := fencing.ParseToken(lines[1])
		if err == nil && mark.Scope == scope && string(encode(mark)) == string(data) {
			return mark, nil
		}
	}
	return fencing.Token{}, fmt.Errorf("%w: %.80q", errForeign, data)
}
