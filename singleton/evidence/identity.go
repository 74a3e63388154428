package evidence

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// identity is one life of one container: what a holder publishes.
type identity struct {
	pod, uid, container string
	// alive is an instant, in whole seconds of the node's clock, at which the process was alive. The
	// container cannot have ended before. So the death of an earlier container of the Pod is never
	// taken for this one's, even if the holder read a stale status and published the wrong id.
	alive time.Time
	id    string // as the kubelet shows it: containerd://...
}

const (
	version     = "pod/1"
	fields      = 6
	maxIdentity = 700 // bytes: the longest of each field, and some
	maxUID      = 64
)

// String is the text that is published. It has no line breaks and nothing to escape.
func (i identity) String() string {
	return strings.Join([]string{
		version, i.pod, i.uid, i.container, strconv.FormatInt(i.alive.Unix(), 10), i.id,
	}, " ")
}

// parse reads what a holder published. Anybody who may edit the Lease may have written it, so it is
// taken only in the one form that String has.
func parse(text string) (identity, error) {
	bad := func(rule string) (identity, error) {
		return identity{}, fmt.Errorf("%w: %.80q: %s", ErrIdentity, text, rule)
	}
	if len(text) > maxIdentity {
		return bad(fmt.Sprintf("must have at most %d bytes", maxIdentity))
	}
	part := strings.Split(text, " ")
	if part[0] != version {
		return bad("must begin with " + version)
	}
	if len(part) != fields {
		return bad(fmt.Sprintf("must have %d fields", fields))
	}
	seconds, err := strconv.ParseInt(part[4], 10, 64)
	if err != nil || seconds <= 0 {
		return bad("its fifth field must be a time in seconds")
	}
	i := identity{
		pod: part[1], uid: part[2], container: part[3], alive: time.Unix(seconds, 0), id: part[5],
	}
	if rule := i.broken(); rule != "" {
		return bad(rule)
	}
	if i.String() != text {
		return bad("must be written as hotseat writes it")
	}
	return i, nil
}

// broken is the rule that a part of i breaks, if any.
func (i identity) broken() string {
	switch {
	case len(validation.IsDNS1123Subdomain(i.pod)) > 0:
		return "its second field must be the name of a Pod"
	case len(i.uid) > maxUID || !regexp.MustCompile(`^[0-9A-Za-z-]+$`).MatchString(i.uid):
		return "its third field must be the UID of a Pod"
	case len(validation.IsDNS1123Label(i.container)) > 0:
		return "its fourth field must be the name of a container"
	case !isContainerID(i.id):
		return "its sixth field must be the id of a container"
	}
	return ""
}

// isContainerID reports whether id is a runtime's name, "://" and an id. The id is long, as every
// runtime makes it, so that it is never used again.
func isContainerID(id string) bool {
	return regexp.MustCompile(`^[a-z][a-z0-9.+-]{0,31}://[0-9A-Za-z_.-]{12,192}$`).MatchString(id)
}
