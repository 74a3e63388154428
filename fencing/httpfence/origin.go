package httpfence

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// origin is where a request goes: scheme, host and port. Hosts are compared as written, except for
// case. A subdomain, an address instead of a name, and a name with a final dot are each another
// host.
type origin struct{ scheme, host, port string }

func originOf(u *url.URL) origin {
	scheme := strings.ToLower(u.Scheme)
	usual := map[string]string{"http": "80", "https": "443"}[scheme]
	return origin{scheme, strings.ToLower(u.Hostname()), cmp.Or(u.Port(), usual)}
}

func (o origin) String() string { return o.scheme + "://" + o.host + ":" + o.port }

// parseServer reads the URL of a server. Its errors show at most the scheme and host. If raw is no
// URL, nobody knows which part is a password, and an error of net/url quotes some of it.
func parseServer(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("it is not a URL (not shown, because it may contain a password);" +
			" it must be an absolute http or https URL")
	}
	if o := originOf(u); o.host == "" || o.scheme != "http" && o.scheme != "https" {
		shown := "it"
		if u.Host != "" {
			shown = u.Scheme + "://" + u.Host + "/..."
		}
		return nil, fmt.Errorf("%s must be an absolute http or https URL", shown)
	}
	return u, nil
}

// home returns the origin that the caller chose, and whether r and every redirect before it stayed
// there. A Client makes each redirected request with the same context, and names the answer that
// redirected it. That is the only trace of where the request began. Once a chain has left its
// origin, somebody else chooses where it goes, so coming back does not count.
func home(r *http.Request) (first origin, stayed bool) {
	first, stayed = originOf(r.URL), true
	for hop := r; hop.Response != nil; {
		if hop = hop.Response.Request; hop == nil {
			return origin{}, false
		}
		previous := originOf(hop.URL)
		stayed = stayed && previous == first
		first = previous
	}
	return first, stayed
}
