package evidence

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// pod is the part of a Pod that matters here. k8s.io/api/core/v1 would add 10 MB to the program.
type pod struct {
	Metadata struct {
		Name string `json:"name"`
		UID  string `json:"uid"`
	} `json:"metadata"`
	Spec struct {
		HostPID               bool        `json:"hostPID"`
		ShareProcessNamespace bool        `json:"shareProcessNamespace"`
		Containers            []container `json:"containers"`
		InitContainers        []container `json:"initContainers"`
	} `json:"spec"`
	Status struct {
		Containers     []status `json:"containerStatuses"`
		InitContainers []status `json:"initContainerStatuses"`
	} `json:"status"`
}

type container struct {
	Name          string `json:"name"`
	RestartPolicy string `json:"restartPolicy"` // of an init container: Always if it is a sidecar
}

type status struct {
	Name        string `json:"name"`
	ContainerID string `json:"containerID"`
	State       state  `json:"state"`
	LastState   state  `json:"lastState"`
}

type state struct {
	Running *struct {
		StartedAt time.Time `json:"startedAt"`
	} `json:"running"`
	Terminated *terminated `json:"terminated"`
}

type terminated struct {
	ContainerID string    `json:"containerID"`
	Reason      string    `json:"reason"`
	FinishedAt  time.Time `json:"finishedAt"` // in whole seconds
}

// unknown is the reason that a kubelet gives for a container that it has lost sight of, which may
// be alive.
const unknown = "ContainerStatusUnknown"

// statuses are those of all containers but ephemeral ones.
func (p *pod) statuses() []status {
	return slices.Concat(p.Status.Containers, p.Status.InitContainers)
}

// deadIn reports whether the Pod proves that this life of the container is over. Nothing else on a
// Pod proves it: not another or a newer container, not a higher restartCount, not waiting, not
// Ready=False, not a deletionTimestamp, not a Pod's absence.
func (i identity) deadIn(p *pod) (dead bool) {
	if p.Metadata.Name != i.pod || p.Metadata.UID != i.uid {
		return false
	}
	for _, s := range p.statuses() {
		if s.Name != i.container {
			continue
		}
		if s.State.Running != nil && s.ContainerID == i.id {
			return false // also if something else there says that it has ended
		}
		dead = dead || i.endedBy(s.State.Terminated) || i.endedBy(s.LastState.Terminated)
	}
	return dead
}

func (i identity) endedBy(t *terminated) bool {
	return t != nil && t.ContainerID == i.id && t.Reason != unknown && !t.FinishedAt.Before(i.alive)
}

// own is what a process knows of the container that it runs in. Empty fields are not known.
type own struct{ pod, uid, container string }

// shownLate is how long after its process 1 a container may be shown to have started.
const shownLate = time.Minute

// find returns the container of the process in its own Pod's status. started is when process 1 of
// the container started. If there is no match yet, waits says what is missing. An error is
// [ErrUnfit]: there will be no match.
func (o own) find(p *pod, started time.Time) (found identity, waits string, err error) {
	unfit := func(format string, args ...any) (identity, string, error) {
		why := fmt.Sprintf(format, args...)
		return identity{}, "", fmt.Errorf("%w: Pod %s %s", ErrUnfit, o.pod, why)
	}
	switch {
	case p.Spec.HostPID:
		return unfit("has hostPID: its processes may outlive their container")
	case p.Spec.ShareProcessNamespace:
		return unfit("has shareProcessNamespace: its processes may outlive their container")
	case o.uid != "" && o.uid != p.Metadata.UID:
		return unfit("has UID %q, and this process is in one with UID %q", p.Metadata.UID, o.uid)
	}
	name := o.container
	if name == "" {
		if name = p.onlyContainer(); name == "" {
			return unfit("has several containers (%s): Config.Container must name this process's own",
				strings.Join(p.names(), ", "))
		}
	}
	if !slices.Contains(p.names(), name) {
		return unfit("has no container %q", name)
	}
	s := slices.IndexFunc(p.statuses(), func(s status) bool { return s.Name == name })
	if s < 0 || p.statuses()[s].State.Running == nil {
		return identity{}, fmt.Sprintf("container %s is not shown as running", name), nil
	}
	shown := p.statuses()[s]
	// Both times are of the node's clock, and the API has whole seconds.
	early, at := started.Truncate(time.Second), shown.State.Running.StartedAt
	if at.Before(early) || at.After(started.Add(shownLate)) {
		return identity{}, fmt.Sprintf("container %s is shown as started at %s, and this process's at %s",
			name, at.UTC().Format(time.RFC3339), early.UTC().Format(time.RFC3339)), nil
	}
	found = identity{pod: o.pod, uid: p.Metadata.UID, container: name, id: shown.ContainerID}
	if rule := found.broken(); rule != "" {
		return unfit("shows container %s with id %q, which hotseat does not know to be one",
			name, shown.ContainerID)
	}
	return found, "", nil
}

// names are those of all containers, ephemeral ones left out.
func (p *pod) names() (all []string) {
	for _, c := range slices.Concat(p.Spec.Containers, p.Spec.InitContainers) {
		all = append(all, c.Name)
	}
	return all
}

// onlyContainer is the name of the one container that goes on running, or "".
func (p *pod) onlyContainer() string {
	sidecars := slices.ContainsFunc(p.Spec.InitContainers,
		func(c container) bool { return c.RestartPolicy == "Always" })
	if len(p.Spec.Containers) != 1 || sidecars {
		return ""
	}
	return p.Spec.Containers[0].Name
}
