package singleton

import (
	"fmt"
	"runtime/debug"
)

// isPanic tells a panic on its way to Run from an error that work returned and
// that may wrap one.
func isPanic(err error) bool {
	_, is := err.(*PanicError) //nolint:errorlint // see above
	return is
}

// protect calls f, a function of the user's, and then done with its error. A
// panic, or a runtime.Goexit (which nothing on that goroutine survives), is
// passed to done as a *PanicError.
func protect(f func() error, done func(error)) {
	err := error(nil)
	returned := false
	defer func() {
		if !returned {
			value := recover()
			if value == nil {
				value = "runtime.Goexit was called"
			}
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
		done(err)
	}()
	err = f()
	returned = true
}

// pointless wraps an error no retry will mend.
func (r *run) pointless(err error) error {
	return wrap(fmt.Sprintf("lease %s/%s", r.config.Namespace, r.config.Name), err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("singleton: %s: %w", what, err)
}
