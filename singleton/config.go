package singleton

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// Environment and file that name this Pod. The first two are what the downward
// API is usually told to set; see examples/deploy.
const (
	envPodName      = "POD_NAME"
	envPodNamespace = "POD_NAMESPACE"
	namespaceFile   = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
)

// Config of an [Elector]. Only Name is required. The zero value of any other field means its
// default, and a negative value is an error.
type Config struct {
	// Name of the Lease: one for each role, the same in all its replicas.
	Name string
	// Namespace of the Lease. Default: $POD_NAMESPACE, else the namespace of the service account.
	// It is never "default", and never that of a kubeconfig's context.
	Namespace string

	// Guards are told of each term's token before its work starts ([fencing.Guard.Announce]). Each
	// has RenewDeadline to answer.
	//
	// If a guard refuses the token or is unavailable, work does not start, and this replica gives
	// the term up. [Status] and hotseat_guard_failures_total say why. While work runs, guards are
	// told again each Fencing.AnnouncePeriod, and when a renewal goes through after an outage, so
	// that a guard which was restored from a backup learns the token again. Then a guard that has
	// seen a later token ends the term, unless the term may raise its epoch (Fencing.MaxRaise). No
	// other failure does.
	Guards []fencing.Guard
	// Hooks are told what happens.
	Hooks Hooks
	// Logger; nil means slog.Default().
	Logger *slog.Logger

	// Timing must be the same in all replicas. A standby waits for the longer of its own
	// LeaseDuration and the one that the holder wrote, which it believes up to
	// [lease.MaxLeaseDuration].
	Timing lease.Timing
	// OneTerm has Run return after the first term whose work was called, once the Lease is
	// released: for programs whose parts cannot start a second time. Run then returns the
	// [*EndError] that says why the term ended; what work returned, if it returned by itself;
	// and nil if Run's context ended.
	OneTerm bool
	// Fencing is how tokens are made and told.
	Fencing FencingConfig
	// Replica is what concerns this process only.
	Replica ReplicaConfig
	// Labels of the Lease, if this replica creates it. One that is there keeps its own.
	Labels map[string]string
}

// FencingConfig is how an [Elector] makes tokens and tells guards of them.
type FencingConfig struct {
	// AnnouncePeriod is the time between two announcements of one term.
	// Default: LeaseDuration.
	AnnouncePeriod time.Duration
	// KeepOnStale keeps the term when a guard refuses its token as stale; work decides, by the
	// error. Otherwise such a refusal ends the term: the Lease is kept until work has returned,
	// then released, and this replica stands back for Replica.HoldOff. The guard need not be one
	// of Guards. It is enough that the refusal reaches [fencing.Report] with a context derived
	// from work's, as the guards of this module see to.
	KeepOnStale bool
	// Floor, if set, is asked before each acquire. The new epoch will be above the number that it
	// returns. So tokens keep growing where the API server's history went back, or began anew
	// beside an old database, whose guard refuses every epoch up to its mark. Return the Epoch of
	// the guard's [fencing.Guard.Mark], as the example shows. While Floor fails, this replica does
	// not acquire. It has a quarter of RenewDeadline to return.
	Floor func(ctx context.Context) (int64, error)
	// MaxRaise is by how much [Term.Raise] may lift an epoch at once, to one above a mark. It
	// keeps one poisoned mark from using the numbers up. Default 0: a term does not raise its
	// epoch, and ends if a guard holds a higher one.
	MaxRaise int64
}

// ReplicaConfig is what concerns one process of those that stand for election.
type ReplicaConfig struct {
	// Identity is what the Lease shows as its holder, followed by "_" and 64 random bits, so that
	// no two processes ever share one. Default: $POD_NAME, else the host's name.
	Identity string
	// Program names the program on the Lease. A replica warns when it sees another one there: two
	// applications may share the Lease by mistake. Default: the last part of the module's path, and
	// of the main package's, as in "invoicer/worker"; else the name of the executable.
	Program string
	// WarmUp, if set, is called once per Run before the first candidacy: fill caches, open
	// connections. Its error ends Run. The replica observes the Lease meanwhile.
	WarmUp func(ctx context.Context) error
	// HoldOff is how long this replica stands back after it resigned, its work failed or a guard
	// stopped it, so that another one wins. Default: twice RetryPeriod, which is longer than the
	// poll of a standby that may not watch.
	HoldOff time.Duration
	// DrainLimit is how long work may take to return after its term ended while the Lease is kept
	// for it (Resign, a refused token, Run's context). After that it counts as stuck:
	// Status.Overrun, [Elector.Live], Hooks.OnOverrun and hotseat_overruns_total tell of it, once
	// a term. The Lease is kept all the same. Default: 5 minutes, longer than most drains are
	// meant to take.
	DrainLimit time.Duration
	// SharedWatch, if set, tells this elector of its Lease, which then has no watch of its own:
	// for processes that are candidates for many Leases of one namespace.
	SharedWatch *SharedWatch

	clock protocol.Clock // tests suspend it
}

const defaultDrainLimit = 5 * time.Minute

// withDefaults fills what the environment gives and validates the rest.
// Every violation is reported, as a [*lease.FieldError].
func (c Config) withDefaults() (Config, error) {
	var errs []error
	refuse := func(field string, value any, rule string) {
		errs = append(errs, &lease.FieldError{Field: field, Value: value, Rule: rule})
	}
	asked := c.Timing
	c.Timing = asked.WithDefaults()
	if err := c.Timing.Validate(); err != nil {
		errs = append(errs, markDefaults(err, asked))
	}
	for _, d := range []struct {
		field string
		time.Duration
	}{
		{"Replica.HoldOff", c.Replica.HoldOff}, {"Replica.DrainLimit", c.Replica.DrainLimit},
		{"Fencing.AnnouncePeriod", c.Fencing.AnnouncePeriod},
	} {
		if d.Duration < 0 {
			refuse(d.field, d.Duration, "must not be negative")
		}
	}
	c.Replica.HoldOff = cmp.Or(c.Replica.HoldOff, 2*c.Timing.RetryPeriod)
	c.Replica.DrainLimit = cmp.Or(c.Replica.DrainLimit, defaultDrainLimit)
	c.Fencing.AnnouncePeriod = cmp.Or(c.Fencing.AnnouncePeriod, c.Timing.LeaseDuration)
	if c.Fencing.MaxRaise < 0 {
		refuse("Fencing.MaxRaise", c.Fencing.MaxRaise, "must not be negative")
	}
	c = c.named(refuse)
	c.Labels = c.labelled(refuse)
	for i, guard := range c.Guards {
		if isNil(guard) {
			refuse(fmt.Sprintf("Guards[%d]", i), nil, mustNotBeNil(guard))
		}
	}
	switch shared := c.Replica.SharedWatch; {
	case shared == nil:
	case shared.shared == nil:
		refuse("Replica.SharedWatch", shared.namespace, "must be made by NewSharedWatch, with a client")
	case shared.namespace != c.Namespace:
		refuse("Replica.SharedWatch", shared.namespace, fmt.Sprintf("must be of the Lease's namespace %q", c.Namespace))
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
	c.Replica.Identity = cmp.Or(c.Replica.Identity, os.Getenv(envPodName), host)
	if c.Replica.Identity == "" {
		refuse("Replica.Identity", "", fmt.Sprintf("must be set here or in $%s (downward API: fieldPath metadata.name): the host has no name: %v", envPodName, err))
	}
	c.Replica.Identity += "_" + incarnation()
	c.Replica.Program = cmp.Or(c.Replica.Program, programName(), filepath.Base(os.Args[0]))
	return c
}

// labelled copies the labels, and refuses those that an API server would.
func (c Config) labelled(refuse func(field string, value any, rule string)) map[string]string {
	for key, value := range c.Labels {
		for _, problem := range validation.IsQualifiedName(key) {
			refuse("Labels", key, "must be a label's key: "+problem)
		}
		for _, problem := range validation.IsValidLabelValue(value) {
			refuse(fmt.Sprintf("Labels[%s]", key), value, "must be a label's value: "+problem)
		}
	}
	return maps.Clone(c.Labels)
}

// programName is the last part of the module's path, with that of the main package's if it is
// another one, as in "invoicer/worker"; empty if the build did not record them. It is short, since
// every standby is told of it with each renewal.
func programName() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Path == "" {
		return ""
	}
	module, main := path.Base(info.Main.Path), path.Base(info.Path)
	if info.Main.Path == "" || module == main {
		return main
	}
	return module + "/" + main
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
