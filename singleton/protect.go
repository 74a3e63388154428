package singleton

import (
	"fmt"
	"runtime/debug"
)

// isPanic reports whether err is a panic on its way to Run. An error that work returned, and that
// wraps a *PanicError, is not.
func isPanic(err error) bool {
	_, is := err.(*PanicError) //nolint:errorlint // see above
	return is
}

// protect calls f, a function of the user's, and then calls done with f's error. If f panics or
// calls runtime.Goexit, done gets a *PanicError. (After a Goexit nothing else runs on that
// goroutine.)
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

// pointless wraps an error that no retry will fix.
func (r *run) pointless(err error) error {
	return wrap(fmt.Sprintf("lease %s/%s", r.config.Namespace, r.config.Name), err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("singleton: %s: %w", what, err)
}
