// Package fromsource builds others' programs for tests. A module of its own names their versions
// and has next to no code. Each is built once, which may take minutes, and kept in .cache below the
// root: by version, by Go's version, and by all that the module says, so that a change of it builds
// anew.
package fromsource
