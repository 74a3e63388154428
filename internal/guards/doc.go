// Package guards has the tests of guards on the servers that they are for. It is
// a module of its own, so that drivers stay out of the library's go.mod.
package guards
