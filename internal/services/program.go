//go:build unix

package services

import "context"

// Program returns the path of a program of another package's, which is installed if it is missing. It
// is ErrMissing where that cannot be done.
func Program(ctx context.Context, name, pkg string) (string, error) {
	return install(ctx, kind{name: name, pkg: pkg, find: binary(name)})
}
