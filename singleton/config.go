package singleton

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
)

// Environment and file that name this Pod. The first two are what the downward
// API is usually told to set; see README.
const (
	envPodName      = "POD_NAME"
	envPodNamespace = "POD_NAMESPACE"
	namespaceFile   = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
)

// Config of an [Elector]. Only Name is required; the zero value of any other
// field means its default, a negative value is an error.
type Config struct {
	// Name of the Lease: one per role, shared by all its replicas.
	Name string
	// Namespace of the Lease. Default: $POD_NAMESPACE, else the service
	// account's namespace; never "default", and not the kubeconfig context's.
	Namespace string
	// Identity is what the Lease shows as its holder, followed by "_" and 64
	// random bits, so that no two processes ever share one. Default: $POD_NAME,
	// else the host's name.
	Identity string

	// LeaseDuration, RenewDeadline, RetryPeriod and MaxClockDrift are
	// [lease.Timing]: defaults 15 s, 10 s, 2 s and 0.05. All replicas should
	// agree on them. A standby waits for the longer of its own LeaseDuration and
	// the one that the holder wrote, which it believes up to
	// [lease.MaxLeaseDuration].
	LeaseDuration time.Duration
	RenewDeadline time.Duration
	RetryPeriod   time.Duration
	MaxClockDrift float64
	// HoldOff is how long this replica stands back after it resigned, its work
	// failed or a guard stopped it, so that another one wins. Default: twice
	// RetryPeriod, which is longer than the poll of a standby that may not
	// watch.
	HoldOff time.Duration

	// DrainLimit is how long work may take to return after its term ended while the
	// Lease is kept for it (Resign, a refused token, Run's context). After that it is
	// taken for stuck: Status.Overrun, [Elector.Live], Hooks.OnOverrun and
	// hotseat_overruns_total tell of it, once a term. The Lease is kept all the same.
	// Default: 5 minutes, longer than most drains are meant to take.
	DrainLimit time.Duration

	// Guards are told of each term's token before its work starts
	// ([fencing.Guard.Announce]), each within RenewDeadline. If one
	// refuses it or is unavailable, the work does not start and the term is given
	// up ([Status] and hotseat_guard_failures_total say why). While the work runs
	// they are told again each AnnouncePeriod, and when a renewal is acknowledged
	// after one was not: a guard whose own store went back learns of the current
	// term again. A guard that has seen a later token then ends the term, unless
	// MaxRaise lets it raise its epoch; any other failure does not.
	Guards []fencing.Guard
	// AnnouncePeriod is the time between two announcements of one term.
	// Default: LeaseDuration.
	AnnouncePeriod time.Duration
	// ResignOnStale ends the term when the work's token is refused for a newer
	// one anywhere, also by a guard that is not among Guards: it passed its
	// error to [fencing.Report] with a context that comes from the work's. The
	// Lease is kept until work returns, then released, and this replica stands
	// back for HoldOff. Default: work decides, by the error.
	ResignOnStale bool
	// Floor, if set, is asked before each acquire for a number the new epoch
	// must lie above: it keeps tokens growing when the API server's own history
	// went back, or began anew beside an old database (a new cluster), whose guard
	// refuses every epoch up to its mark. Return that: the Epoch of the guard's
	// [fencing.Guard.Mark] of the scope Namespace/Name; the example shows it.
	// While it fails, this replica does not acquire. It must return within a
	// quarter of RenewDeadline.
	Floor func(ctx context.Context) (int64, error)
	// MaxRaise bounds by how much [Term.Raise] may lift an epoch at once, to one
	// above a mark. It keeps one poisoned mark from using the numbers up. Default 0: a term does
	// not raise its epoch, and ends if a guard holds a higher one.
	MaxRaise int64

	// OneTerm has Run return after the first term whose work was called, once the Lease is
	// released: for programs whose parts cannot start a second time. Run then returns the
	// [*EndError] that says why the term ended; what work returned, if it returned by itself;
	// and nil if Run's context ended.
	OneTerm bool

	// SharedWatch, if set, tells this elector of its Lease, which then has no watch
	// of its own: for processes that are candidates for many Leases of one
	// namespace.
	SharedWatch *SharedWatch

	// WarmUp, if set, is called once per Run before the first candidacy: fill
	// caches, open connections. Its error ends Run. The replica observes the
	// Lease meanwhile.
	WarmUp func(ctx context.Context) error
	// Hooks are told what happens.
	Hooks Hooks
	// Logger; nil means slog.Default().
	Logger *slog.Logger

	clock lease.Clock // tests suspend it
}

const defaultDrainLimit = 5 * time.Minute

// withDefaults fills what the environment gives and validates the rest.
// Every violation is reported, as a [*lease.FieldError].
func (c Config) withDefaults() (Config, error) {
	var errs []error
	refuse := func(field string, value any, rule string) {
		errs = append(errs, &lease.FieldError{Field: field, Value: value, Rule: rule})
	}
	asked, timing := c.timing(), c.timing().WithDefaults()
	c.LeaseDuration, c.RenewDeadline = timing.LeaseDuration, timing.RenewDeadline
	c.RetryPeriod, c.MaxClockDrift = timing.RetryPeriod, timing.MaxClockDrift
	if err := timing.Validate(); err != nil {
		errs = append(errs, markDefaults(err, asked))
	}
	if c.HoldOff < 0 {
		refuse("HoldOff", c.HoldOff, "must not be negative")
	}
	c.HoldOff = cmp.Or(c.HoldOff, 2*c.RetryPeriod)
	if c.DrainLimit < 0 {
		refuse("DrainLimit", c.DrainLimit, "must not be negative")
	}
	c.DrainLimit = cmp.Or(c.DrainLimit, defaultDrainLimit)
	if c.MaxRaise < 0 {
		refuse("MaxRaise", c.MaxRaise, "must not be negative")
	}
	if c.AnnouncePeriod < 0 {
		refuse("AnnouncePeriod", c.AnnouncePeriod, "must not be negative")
	}
	c.AnnouncePeriod = cmp.Or(c.AnnouncePeriod, c.LeaseDuration)
	c = c.named(refuse)
	for i, guard := range c.Guards {
		if isNil(guard) {
			refuse(fmt.Sprintf("Guards[%d]", i), nil, mustNotBeNil(guard))
		}
	}
	switch shared := c.SharedWatch; {
	case shared == nil:
	case shared.shared == nil:
		refuse("SharedWatch", shared.namespace, "must be made by NewSharedWatch, with a client")
	case shared.namespace != c.Namespace:
		refuse("SharedWatch", shared.namespace, fmt.Sprintf("must be of the Lease's namespace %q", c.Namespace))
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = c.Logger.With("namespace", c.Namespace, "lease", c.Name)
	return c, errors.Join(errs...)
}

// named fills in what names the Lease and this process.
func (c Config) named(refuse func(field string, value any, rule string)) Config {
	if c.Name == "" {
		refuse("Name", c.Name, "must not be empty: it names the Lease all replicas share")
	} else if problems := validation.IsDNS1123Subdomain(c.Name); len(problems) > 0 {
		refuse("Name", c.Name, "must name a Lease: "+strings.Join(problems, "; "))
	}
	c.Namespace = cmp.Or(c.Namespace, os.Getenv(envPodNamespace), serviceAccountNamespace())
	if c.Namespace == "" {
		refuse("Namespace", "", fmt.Sprintf("must be set here or in $%s (downward API: fieldPath metadata.namespace), unless %s names it", envPodNamespace, namespaceFile))
	} else if problems := validation.IsDNS1123Label(c.Namespace); len(problems) > 0 {
		refuse("Namespace", c.Namespace, "must name a namespace: "+strings.Join(problems, "; "))
	}
	host, err := os.Hostname()
	c.Identity = cmp.Or(c.Identity, os.Getenv(envPodName), host)
	if c.Identity == "" {
		refuse("Identity", "", fmt.Sprintf("must be set here or in $%s (downward API: fieldPath metadata.name): the host has no name: %v", envPodName, err))
	}
	c.Identity += "_" + incarnation()
	return c
}

// isNil reports whether there is nothing behind an interface, also if what is not
// there has a type.
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

// mustNotBeNil is the rule that a value breaks for which isNil is true.
func mustNotBeNil(value any) string {
	if value == nil {
		return "must not be nil"
	}
	return fmt.Sprintf("must not be a nil %T", value)
}

// markDefaults says of each refused field that was left out that its value is
// the default.
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

func (c Config) timing() lease.Timing {
	return lease.Timing{
		LeaseDuration: c.LeaseDuration, RenewDeadline: c.RenewDeadline,
		RetryPeriod: c.RetryPeriod, MaxClockDrift: c.MaxClockDrift,
	}
}

func serviceAccountNamespace() string {
	text, err := os.ReadFile(namespaceFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// incarnation tells this process from an earlier one of the same name.
func incarnation() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return hex.EncodeToString(id[:])
}

// ConfigError is a refused [Config]; errors.As finds each [*lease.FieldError]
// in it.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string {
	return "singleton: config: " + strings.ReplaceAll(e.Err.Error(), "\n", "; ")
}

// Unwrap returns the joined field errors.
func (e *ConfigError) Unwrap() error { return e.Err }
