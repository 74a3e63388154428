//go:build unix

package services

import (
	"context"
	"maps"
	"net"
	"os"
	"slices"
	"testing"
)

// HAProxy runs HAProxy for a test. Its configuration may use vars as environment variables, and has
// to bind "${LISTEN}", which is [Server.Addr]. There is no DSN.
func HAProxy(tb testing.TB, config string, vars map[string]string) *Server {
	tb.Helper()
	return forTest(tb, kind{
		name: "haproxy", user: "haproxy", pkg: "haproxy",
		find:    binary("haproxy"),
		files:   map[string]string{"haproxy.cfg": config},
		prepare: func(string, string) [][]string { return nil },
		command: func(bin, _, port string) []string {
			command := []string{"env", "LISTEN=127.0.0.1:" + port}
			for _, name := range slices.Sorted(maps.Keys(vars)) {
				command = append(command, name+"="+vars[name])
			}
			return append(command, bin, "-db", "-f", "haproxy.cfg")
		},
		ready: accepts,
		dsn:   func(string) string { return "" },
	}, nil)
}

// nginxMain is what a site's configuration is included in.
const nginxMain = `daemon off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path tmp;
    proxy_temp_path tmp;
    fastcgi_temp_path tmp;
    uwsgi_temp_path tmp;
    scgi_temp_path tmp;
    include site.conf;
}
`

// Nginx runs nginx for a test. Its configuration is a site's. It may name vars as ${NAME}, as in the
// templates of nginx's image, and has to listen to ${LISTEN}, which is [Server.Addr]. There is no
// DSN.
func Nginx(tb testing.TB, site string, vars map[string]string) *Server {
	tb.Helper()
	site = os.Expand(site, func(name string) string {
		if value, ok := vars[name]; ok {
			return value
		}
		if name == "LISTEN" {
			return "LISTEN"
		}
		return "$" + name // one of nginx's own
	})
	return forTest(tb, kind{
		name: "nginx", user: "www-data", pkg: "nginx-light",
		find:    binary("nginx"),
		files:   map[string]string{"nginx.conf": nginxMain, "site.template": site},
		prepare: func(string, string) [][]string { return nil },
		command: func(bin, dir, port string) []string { // its port can be given in a file only
			return []string{
				"sh", "-c", `sed "s/LISTEN/127.0.0.1:$1/" site.template > site.conf && exec "$2" -p "$3/" -c nginx.conf -e stderr`,
				"sh", port, bin, dir,
			}
		},
		ready: accepts,
		dsn:   func(string) string { return "" },
	}, nil)
}

// accepts is nil once the server takes connections.
func accepts(ctx context.Context, s *Server) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return err
	}
	return conn.Close()
}
