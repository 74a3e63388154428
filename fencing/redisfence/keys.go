package redisfence

import (
	"fmt"
	"strings"

	"github.com/hotseat-go/hotseat/fencing"
)

// hashTag is the part of a key that decides its slot, if that is not the whole key.
func hashTag(key string) (string, bool) {
	_, rest, _ := strings.Cut(key, "{")
	tag, _, closed := strings.Cut(rest, "}")
	return tag, closed && tag != ""
}

// parse reads a mark. If it is none, the error is ErrUnavailable: nothing is admitted until
// somebody has repaired the mark.
func (g *Guard) parse(mark any) (fencing.Token, error) {
	s, _ := text(mark) // "" if it is no text; that is no mark either
	t, err := fencing.ParseMark(s, g.config.Scope)
	if err != nil {
		return fencing.Token{}, fmt.Errorf("redisfence: the mark %q cannot be read: %w",
			g.config.Key, err)
	}
	return t, nil
}
