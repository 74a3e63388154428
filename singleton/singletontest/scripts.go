package singletontest

import (
	"errors"
	"fmt"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func scripts() []script {
	return []script{
		{"handover", handover},
		{"rolling update", rollingUpdate},
		{"crash", crash},
		{"partition", partition},
		{"short outage", func(s *storm) (string, error) { return "", s.outage(s.leaseDuration / 4) }},
		{"long outage", func(s *storm) (string, error) { return "", s.outage(3 * s.leaseDuration) }},
		{"lease deleted", leaseDeleted},
		{"lease taken", leaseTaken},
		{"answers lost", answersLost},
		{"slow server", slowServer},
	}
}

// handover: the active stops, and the other replica goes on without a pause.
func handover(s *storm) (string, error) {
	hit := s.active()
	s.stop(hit)
	sleep(time.Second)
	if s.active() == "" {
		return "", fmt.Errorf("%w a second after the active was stopped", errNobody)
	}
	s.start(hit)
	return hit, nil
}

// rollingUpdate: a new replica joins, an old one stops, twice.
func rollingUpdate(s *storm) (string, error) {
	for old, fresh := range map[string]string{"a": "c", "b": "d"} {
		s.start(fresh)
		sleep(time.Second)
		s.stop(old)
		sleep(time.Second)
		if s.active() == "" {
			return "", fmt.Errorf("%w a second after %s was stopped", errNobody, old)
		}
	}
	return "c", nil
}

// crash: the active is gone at once.
func crash(s *storm) (string, error) {
	hit := s.active()
	s.crash(hit)
	err := s.awaitActive()
	s.start(hit)
	return hit, err
}

// partition: the active is cut off, and comes back after another replica took over.
func partition(s *storm) (string, error) {
	hit := s.active()
	s.tell("%s is cut off", hit)
	s.cluster.Link(hit).BlackHole()
	sleep(2 * s.leaseDuration)
	switch s.active() {
	case hit:
		return "", errors.New("the active works on, two lease durations after it was cut off:" +
			" does work return when its context ends?")
	case "":
		return "", fmt.Errorf("%w two lease durations after the active was cut off", errNobody)
	}
	s.tell("%s is back", hit)
	s.cluster.Link(hit).Heal()
	sleep(s.leaseDuration)
	return hit, nil
}

// outage: the API server answers nobody for a while.
func (s *storm) outage(d time.Duration) error {
	s.tell("the API server is out of reach")
	for name := range s.replicas {
		s.cluster.Link(name).BlackHole()
	}
	sleep(d)
	s.tell("the API server is back")
	for name := range s.replicas {
		s.cluster.Link(name).Heal()
	}
	return nil
}

func leaseDeleted(s *storm) (string, error) {
	s.tell("somebody deletes the Lease")
	hit := s.active()
	s.cluster.DeleteLease()
	sleep(time.Second)
	return hit, nil
}

// leaseTaken: somebody writes another holder on the Lease, and this holder never renews.
func leaseTaken(s *storm) (string, error) {
	hit := s.active()
	s.tell("somebody takes the Lease by hand")
	err := s.cluster.EditLease(func(l *coordv1.Lease) {
		intruder, now := "somebody", metav1.NowMicro()
		l.Spec.HolderIdentity, l.Spec.RenewTime = &intruder, &now
	})
	sleep(time.Second)
	if s.active() == hit {
		return "", errors.New("the active works on, a second after another holder took the Lease:" +
			" does work return when its context ends?")
	}
	return hit, err
}

// answersLost: the writes of the active arrive, and the answers do not.
func answersLost(s *storm) (string, error) {
	hit := s.active()
	s.tell("answers to %s are lost", hit)
	remove := s.cluster.Link(hit).Inject(Fault{Verbs: []string{"update", "patch"}, LoseAnswer: true})
	sleep(2 * s.leaseDuration)
	remove()
	s.tell("answers to %s arrive again", hit)
	return hit, nil
}

// slowServer: each write takes a fifth of the lease duration.
func slowServer(s *storm) (string, error) {
	s.tell("the API server is slow")
	for name := range s.replicas {
		defer s.cluster.Link(name).Inject(Fault{DelayAfter: s.leaseDuration / 5})()
	}
	sleep(4 * s.leaseDuration)
	if s.active() == "" {
		return "", fmt.Errorf("%w under a slow API server", errNobody)
	}
	return s.active(), nil
}
