package singleton

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"reflect"
	"runtime/debug"
	"strings"

	"github.com/hotseat-go/hotseat/lease"
)

// programName is the last part of the module's path, with that of the main package's if it is
// another one, as in "invoicer/worker"; empty if the build did not record them. It is short, since
// every standby is told of it with each renewal.
func programName() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Path == "" {
		return ""
	}
	module, main := lastOf(info.Main.Path), lastOf(info.Path)
	if info.Main.Path == "" || info.Main.Path == info.Path {
		return main
	}
	return module + "/" + main
}

// lastOf is the last element of a module's or package's path that is no major version, such as v2.
func lastOf(p string) string {
	last := path.Base(p)
	if number, ok := strings.CutPrefix(last, "v"); ok && strings.Trim(number, "0123456789") == "" {
		return path.Base(path.Dir(p))
	}
	return last
}

// isNil reports whether value is nil or a typed nil.
func isNil(value any) bool {
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func:
		return v.IsNil()
	default:
		return false
	}
}

// mustNotBeNil is the rule that a value breaks if isNil is true for it.
func mustNotBeNil(value any) string {
	if value == nil {
		return "must not be nil"
	}
	return fmt.Sprintf("must not be a nil %T", value)
}

// markDefaults marks each refused field that was left out: its value is the default.
func markDefaults(err error, asked lease.Timing) error {
	unset := map[string]bool{
		"LeaseDuration": asked.LeaseDuration == 0, "RenewDeadline": asked.RenewDeadline == 0,
		"RetryPeriod": asked.RetryPeriod == 0, "MaxClockDrift": asked.MaxClockDrift == 0,
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	for _, one := range joined.Unwrap() {
		if field, ok := errors.AsType[*lease.FieldError](one); ok && unset[field.Field] {
			field.Default = true
		}
	}
	return err
}

// DefaultNamespace returns the namespace that [Config].Namespace defaults to: $POD_NAMESPACE, else
// that of the service account, else "". (With "", New refuses a Config without a Namespace.) Use it
// to name a guard's scope before the elector is made:
// fencing.Scope(singleton.DefaultNamespace(), name).
func DefaultNamespace() string {
	return cmp.Or(os.Getenv(envPodNamespace), serviceAccountNamespace())
}

func serviceAccountNamespace() string {
	text, err := os.ReadFile(namespaceFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// incarnation distinguishes this process from an earlier one of the same name.
func incarnation() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return hex.EncodeToString(id[:])
}
