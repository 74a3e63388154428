package singletontest

import (
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
	for _, turn := range [][2]string{{"a", "c"}, {"b", "d"}} {
		old, fresh := turn[0], turn[1]
		s.start(fresh)
		sleep(warm) // a rolling update waits until it is ready
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

// partition: the active is cut off, and comes back after another one took over.
func partition(s *storm) (string, error) {
	hit, call := s.active(), s.at()
	s.tell("%s is cut off", hit)
	s.link(hit).BlackHole()
	sleep(2 * s.leaseDuration)
	switch {
	case s.goesOn(call):
		return "", fmt.Errorf("work of %s goes on, two lease durations after it was cut off:"+
			" does it return when its context ends?", hit)
	case s.active() == "":
		return "", fmt.Errorf("%w two lease durations after the active was cut off", errNobody)
	}
	s.tell("%s is back", hit)
	s.link(hit).Heal()
	sleep(s.leaseDuration)
	return hit, nil
}

// outage: the API server answers nobody for a while.
func (s *storm) outage(d time.Duration) error {
	s.tell("the API server is out of reach")
	for name := range s.replicas {
		s.link(name).BlackHole()
	}
	sleep(d)
	s.tell("the API server is back")
	for name := range s.replicas {
		s.link(name).Heal()
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

// leaseTaken: somebody writes another holder in, who never renews.
func leaseTaken(s *storm) (string, error) {
	hit, call := s.active(), s.at()
	s.tell("somebody takes the Lease by hand")
	err := s.cluster.EditLease(func(l *coordv1.Lease) {
		intruder, now := "somebody", metav1.NowMicro()
		l.Spec.HolderIdentity, l.Spec.RenewTime = &intruder, &now
	})
	sleep(s.leaseDuration) // the stop budget is less
	if s.goesOn(call) {
		return "", fmt.Errorf("work of %s goes on, a lease duration after somebody else took the Lease:"+
			" does it return when its context ends?", hit)
	}
	return hit, err
}

// answersLost: the writes of the active arrive, and the answers do not.
func answersLost(s *storm) (string, error) {
	hit := s.active()
	s.tell("answers to %s are lost", hit)
	remove := s.link(hit).Inject(Fault{Verbs: []string{"update", "patch"}, LoseAnswer: true})
	sleep(2 * s.leaseDuration)
	remove()
	s.tell("answers to %s arrive again", hit)
	return hit, nil
}

// slowServer: each answer takes a while, but two in a row fit into any sound RenewDeadline.
func slowServer(s *storm) (string, error) {
	s.tell("the API server is slow")
	for name := range s.replicas {
		defer s.link(name).Inject(Fault{DelayAfter: min(s.leaseDuration/15, 3*time.Second)})()
	}
	sleep(4 * s.leaseDuration)
	if s.active() == "" {
		return "", fmt.Errorf("%w under a slow API server", errNobody)
	}
	return s.active(), nil
}
