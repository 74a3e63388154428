package rollout

import (
	"cmp"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/apiclient"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// DefaultCourtesy is what [Config].Courtesy defaults to.
const DefaultCourtesy = time.Second

// Config of a [Follower]. At least one part has to be switched on. The zero value of any other
// field means its default.
type Config struct {
	// Terminating makes this replica ineligible once its Pod is being deleted.
	Terminating bool
	// Revision makes this replica courteous while its ReplicaSet is older than its Deployment's
	// newest.
	Revision bool
	// Node makes this replica courteous while its node is cordoned.
	Node bool
	// DeletionCost makes a ReplicaSet that is scaled down remove its other Pods before the active
	// replica's.
	DeletionCost bool
	// HandOver makes an active replica of an older revision resign once all other Pods of the
	// Deployment are of the newest revision and available. It needs Revision.
	HandOver bool

	// Courtesy is how long a courteous replica lets others go first. If both its revision and its node
	// ask for courtesy, it does so for twice as long. Default: 1 s. It lets others go first for a
	// LeaseDuration at most.
	Courtesy time.Duration
	// Pod is the name of this replica's Pod. Default: $POD_NAME, else the host's name.
	Pod string
	// Namespace of the Pod. Default: [singleton.DefaultNamespace].
	Namespace string
	// Logger gets the logs; nil means slog.Default().
	Logger *slog.Logger
}

// withDefaults fills in what was left out. It returns a [*lease.FieldError] for each refused field,
// joined.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	refuse := func(field string, value any, rule string) {
		errs = append(errs, &lease.FieldError{Field: field, Value: value, Rule: rule})
	}
	if !c.Terminating && !c.Revision && !c.Node && !c.DeletionCost {
		refuse("Config", "no part", "must switch on Terminating, Revision, Node or DeletionCost")
	}
	if c.HandOver && !c.Revision {
		refuse("HandOver", true, "must come with Revision, which knows what is newer")
	}
	if c.Courtesy < 0 {
		refuse("Courtesy", c.Courtesy, "must not be negative")
	}
	host, _ := os.Hostname() // empty is refused below
	c.Courtesy = cmp.Or(c.Courtesy, DefaultCourtesy)
	c.Pod = cmp.Or(c.Pod, os.Getenv("POD_NAME"), host)
	c.Namespace = cmp.Or(c.Namespace, singleton.DefaultNamespace())
	if c.Pod == "" {
		refuse("Pod", "", "must be set here or in $POD_NAME")
	}
	if c.Namespace == "" {
		refuse("Namespace", "", "must be set here or in $POD_NAMESPACE")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = c.Logger.With("namespace", c.Namespace, "pod", c.Pod)
	return c, errors.Join(errs...)
}

// onPod names the options that watch the own Pod.
func (c Config) onPod() string {
	var names []string
	for _, option := range []struct {
		name string
		on   bool
	}{{"Terminating", c.Terminating}, {"Revision", c.Revision}, {"Node", c.Node}} {
		if option.on {
			names = append(names, option.name)
		}
	}
	return strings.Join(names, ", ")
}

// Client is what [New] needs of a client. These fit:
//   - a *singleton.Client, which may be the elector's own;
//   - the CoreV1() or CoordinationV1() of a client-go clientset without a Timeout, which would cut
//     watches.
type Client interface{ RESTClient() rest.Interface }

// New returns a Follower. It makes no request. The error is a [*lease.FieldError], or several
// joined.
func New(client Client, c Config) (*Follower, error) {
	api, unfit := apiclient.New(client, answerWithin)
	c, err := c.withDefaults()
	if err := errors.Join(unfit, err); err != nil {
		return nil, err
	}
	return &Follower{config: c, api: api}, nil
}
