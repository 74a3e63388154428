package singleton

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// The environment variables and the file that name this Pod. The downward API usually sets the
// variables; see examples/deploy.
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
	// There is no fallback to the namespace "default" or to that of a kubeconfig's context. If no
	// namespace is found, New returns an error.
	Namespace string

	// Each term's token is announced to Guards before the term's work starts
	// ([fencing.Guard.Announce]). Each guard has RenewDeadline to answer.
	//
	// If a guard refuses the token or is unavailable, work does not start, and this replica gives the
	// term up. [Status] and hotseat_guard_failures_total say why.
	//
	// While work runs, the token is announced again each Fencing.AnnouncePeriod, and when a renewal
	// goes through after an outage. This is how a guard that was restored from a backup learns the
	// token again. If a guard answers that it has seen a later token, the term ends, with one
	// exception: if the later epoch exceeds the term's by less than Fencing.MaxRaise, the elector
	// raises the term's epoch above the later one, and the term goes on. No other failed announcement
	// ends a term while work runs. A write that a guard refuses as stale ends the term too, unless
	// Fencing.KeepOnStale is set.
	Guards []fencing.Guard
	// Hooks are called when something happens.
	Hooks Hooks
	// Logger gets the logs; nil means slog.Default().
	Logger *slog.Logger

	// Timing must be the same in all replicas. A standby waits for the longer of two durations: its
	// own LeaseDuration, and the one that the holder wrote, up to [lease.MaxLeaseDuration].
	Timing lease.Timing
	// OneTerm makes Run return after the first term in which work started. Unless that term was lost,
	// Run releases the Lease first. OneTerm is for programs whose parts cannot start a second time.
	// Start them in work, not in OnAcquire: a term can end after OnAcquire and before work. With
	// OneTerm, Run returns
	//   - nil, if Run's context ended;
	//   - what work returned, if it returned by itself;
	//   - otherwise the [*EndError] that says why the term ended. errors.Is finds context.Canceled in
	//     it: a program that ignores context.Canceled has to look for the EndError first.
	OneTerm bool
	// Evidence, if set, proves that the process of a holder is dead. After a crash, standbys then
	// acquire the Lease once that is proven, and do not wait for the lease duration. So LeaseDuration
	// can be long, 60 s for example, to ride out outages of the API server. Without proof, standbys
	// wait for the lease duration. The same Evidence should be set in all replicas.
	//
	// Requests that a dead process sent may still be on their way. So Guards or Fencing.Settle is
	// required with Evidence.
	Evidence Evidence
	// Fencing sets how tokens are made and announced.
	Fencing FencingConfig
	// Replica has the settings that concern this process alone.
	Replica ReplicaConfig
	// Labels are put on the Lease if this replica creates it. An existing Lease keeps its own.
	Labels map[string]string
}

// FencingConfig sets how an [Elector] makes tokens and announces them.
type FencingConfig struct {
	// AnnouncePeriod is the time between two announcements of one term.
	// Default: LeaseDuration.
	AnnouncePeriod time.Duration
	// KeepOnStale keeps the term when a guard refuses one of the work's writes as stale. Work gets the
	// error, and decides what to do. By default such a refusal ends the term: the Lease is kept until
	// work has returned, then released, and this replica stands back for Replica.HoldOff.
	//
	// The guard need not be one of Guards. It is enough that the refusal reaches [fencing.Report] with
	// a context derived from work's. The guards of this module see to that.
	KeepOnStale bool
	// Floor, if set, is called before each acquire. The new epoch will be above the number that it
	// returns. Tokens then keep growing even if the API server was restored from a backup, or if
	// the cluster was built anew while the guard's database kept its old, higher mark. Return the
	// Epoch of the guard's [fencing.Guard.Mark]; ExampleConfig_floor shows how. Floor has a quarter
	// of RenewDeadline to return. While it fails, this replica does not acquire.
	Floor func(ctx context.Context) (int64, error)
	// MaxRaise is the most that one raise may add to an epoch. A raise sets the epoch to one above the
	// guard's mark, the greatest token that the guard has seen. This bound stops one absurdly high
	// mark from using up the numbers. Default 0: a term does not raise its epoch, and ends if a guard
	// holds a higher mark.
	MaxRaise int64
	// Settle is how long the Lease is left alone after its holder is proven dead (Config.Evidence).
	// Without Guards, choose Settle so long that by its end every request of the dead process has
	// arrived or failed. It must be the same in all replicas, and below LeaseDuration. Default 0: the
	// Lease is acquired at once. It has no effect without Evidence.
	Settle time.Duration
}

// ReplicaConfig has the settings that concern this process alone, and not the other replicas.
type ReplicaConfig struct {
	// Identity is what the Lease shows as its holder, followed by "_" and 64 random bits, so that
	// no two processes ever share one. Default: $POD_NAME, else the host's name.
	Identity string
	// Program names the program on the Lease. A replica warns when it sees another program there:
	// two applications may share the Lease by mistake. Default: the last element of the module's
	// path, "/", and the last element of the main package's path, for example invoicer/worker.
	// Without build information it is the name of the executable.
	Program string
	// WarmUp, if set, is called once per Run, before this replica becomes a candidate. Use it to fill
	// caches and open connections. The replica observes the Lease meanwhile. An error of WarmUp ends
	// Run.
	WarmUp func(ctx context.Context) error
	// HoldOff is how long this replica stands back: it does not try to acquire the Lease, so that
	// another replica can win. It stands back after it resigned, after its work stalled, and after a
	// guard stopped it. If Run is called again after work returned by itself or panicked, it stands
	// back too. If work fails again and again, it lets others go first for longer: see the package's
	// documentation. Default: twice RetryPeriod, which is enough for a standby that has no right to
	// watch and so polls every RetryPeriod.
	HoldOff time.Duration
	// DrainLimit is how long work may take to return while the Lease is kept for it: after Resign,
	// after a refused token, and after Run's context ended. Work that takes longer counts as stuck.
	// Status.Overrun, [Elector.Live], Hooks.OnOverrun and hotseat_overruns_total report it, once per
	// term. The Lease is still kept. Default: 5 minutes, longer than most drains are meant to take.
	DrainLimit time.Duration
	// ProgressWithin ends a term whose work makes no progress. Work that goes on calls
	// [Term.Progress], at the latest ProgressWithin after it began and after each call. Otherwise its
	// term ends with ReasonStalled. The Lease is kept until work has returned, then released, and
	// this replica stands back for HoldOff. Work that does not return even then counts as stuck after
	// DrainLimit.
	//
	// Time in which this process did not run hardly counts: a freeze counts as one RetryPeriod at
	// most. Default 0: work need not call Progress. Otherwise the least is twice RetryPeriod. Choose
	// several times the longest time that work needs between two calls.
	ProgressWithin time.Duration
	// SharedWatch, if set, observes the Lease for this elector, which then has no watch of its own. It
	// is for processes that are candidates for many Leases of one namespace.
	SharedWatch *SharedWatch

	clock protocol.Clock // tests suspend it
}

const (
	defaultDrainLimit = 5 * time.Minute
	maxProgram        = 200 // bytes: every standby gets them with each renewal
)

// withDefaults fills in what the environment gives, and validates the rest. It reports every
// violation, as a [*lease.FieldError].
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
		{"Replica.ProgressWithin", c.Replica.ProgressWithin},
		{"Fencing.AnnouncePeriod", c.Fencing.AnnouncePeriod}, {"Fencing.Settle", c.Fencing.Settle},
	} {
		if d.Duration < 0 {
			refuse(d.field, d.Duration, "must not be negative")
		}
	}
	if d, least := c.Replica.ProgressWithin, 2*c.Timing.RetryPeriod; d > 0 && d < least {
		refuse("Replica.ProgressWithin", d,
			fmt.Sprintf("must be 0 or at least twice RetryPeriod, %v", least))
	}
	c.Replica.HoldOff = cmp.Or(c.Replica.HoldOff, 2*c.Timing.RetryPeriod)
	c.Replica.DrainLimit = cmp.Or(c.Replica.DrainLimit, defaultDrainLimit)
	c.Fencing.AnnouncePeriod = cmp.Or(c.Fencing.AnnouncePeriod, c.Timing.LeaseDuration)
	if c.Fencing.MaxRaise < 0 {
		refuse("Fencing.MaxRaise", c.Fencing.MaxRaise, "must not be negative")
	}
	c.evident(refuse)
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
		refuse("Replica.SharedWatch", shared.namespace,
			"must be made by NewSharedWatch, with a client that is not nil")
	case shared.namespace != c.Namespace:
		refuse("Replica.SharedWatch", shared.namespace,
			fmt.Sprintf("must be for the Lease's namespace %q", c.Namespace))
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = c.Logger.With("namespace", c.Namespace, "lease", c.Name)
	return c, errors.Join(errs...)
}

// evident checks what belongs to Evidence.
func (c Config) evident(refuse func(field string, value any, rule string)) {
	switch settle := c.Fencing.Settle; {
	case c.Evidence == nil:
	case isNil(c.Evidence):
		refuse("Evidence", nil, mustNotBeNil(c.Evidence))
	case settle == 0 && len(c.Guards) == 0:
		refuse("Fencing.Settle", settle, "must be set with Evidence if there are no Guards:"+
			" requests of the dead process may still be on their way")
	case settle >= c.Timing.LeaseDuration:
		refuse("Fencing.Settle", settle,
			fmt.Sprintf("must be below LeaseDuration, %v", c.Timing.LeaseDuration))
	}
}

// named fills in what names the Lease and this process.
func (c Config) named(refuse func(field string, value any, rule string)) Config {
	if c.Name == "" {
		refuse("Name", c.Name, "must not be empty: it names the Lease all replicas share")
	} else if problems := validation.IsDNS1123Subdomain(c.Name); len(problems) > 0 {
		refuse("Name", c.Name, "must name a Lease: "+strings.Join(problems, "; "))
	}
	c.Namespace = cmp.Or(c.Namespace, DefaultNamespace())
	if c.Namespace == "" {
		refuse("Namespace", "", fmt.Sprintf(
			"must be set here or in $%s (downward API: fieldPath metadata.namespace), unless %s names it",
			envPodNamespace, namespaceFile))
	} else if problems := validation.IsDNS1123Label(c.Namespace); len(problems) > 0 {
		refuse("Namespace", c.Namespace, "must name a namespace: "+strings.Join(problems, "; "))
	}
	host, err := os.Hostname()
	c.Replica.Identity = cmp.Or(c.Replica.Identity, os.Getenv(envPodName), host)
	if c.Replica.Identity == "" {
		refuse("Replica.Identity", "", fmt.Sprintf(
			"must be set here or in $%s (downward API: fieldPath metadata.name): the host has no name: %v",
			envPodName, err))
	}
	c.Replica.Identity += "_" + incarnation()
	c.Replica.Program = cmp.Or(c.Replica.Program, programName(), filepath.Base(os.Args[0]))
	if len(c.Replica.Program) > maxProgram || !utf8.ValidString(c.Replica.Program) {
		refuse("Replica.Program", fmt.Sprintf("%.50s", c.Replica.Program),
			fmt.Sprintf("must be valid UTF-8 of at most %d bytes", maxProgram))
	}
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

// ConfigError says why a [Config] was refused. Err joins a [*lease.FieldError] for each broken
// rule.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string {
	return "singleton: config: " + strings.ReplaceAll(e.Err.Error(), "\n", "; ")
}

// Unwrap returns the joined field errors.
func (e *ConfigError) Unwrap() error { return e.Err }
