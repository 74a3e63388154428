// Package browser shows the page of singleton/statuspage to a real browser while real processes
// hand over, crash and freeze. Its tests are all that there is.
//
// Run it with `go test -v .` in this folder. The first run as root installs Debian's chromium. With
// BROWSER_SHOTS=folder the tests leave screenshots there.
package browser
