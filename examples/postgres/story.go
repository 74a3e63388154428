//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/hotseat-go/hotseat/internal/services"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// patience bounds each wait for something that must come.
const patience = 2 * time.Minute

// tables have no constraint that would keep an invoice from being billed
// twice: that is left to the singleton and its guard. landed is the order of
// inserts, which behind the guard is the order of terms.
func tables() []string {
	return []string{
		"DROP TABLE IF EXISTS invoices, charges, hotseat_fence",
		"CREATE TABLE invoices (id INT PRIMARY KEY, cents INT NOT NULL, billed BOOL NOT NULL DEFAULT false)",
		"CREATE TABLE charges (landed BIGSERIAL, number INT NOT NULL, invoice INT NOT NULL, cents INT NOT NULL, epoch BIGINT NOT NULL, replica TEXT, pid INT)",
	}
}

// story runs replicas and does to them what happens to processes.
type story struct {
	dsn    string
	server *services.Server // to be killed too; nil when it is not ours
	say    func(string)

	db       *sql.DB
	api      string
	replicas map[string]*process
	reports  chan report
	refused  int
	said     string // last, of a replica
	invoices int
}

func (s *story) run(ctx context.Context) (audit, error) {
	cluster := singletontest.New(singletontest.Options{Namespace: namespace, Lease: leaseName})
	defer cluster.Close()
	var err error
	if s.api, err = cluster.Listen(); err != nil {
		return audit{}, err
	}
	if s.db, err = openDB(s.dsn); err != nil {
		return audit{}, err
	}
	defer func() { _ = s.db.Close() }()
	guard, err := newGuard(s.db)
	if err != nil {
		return audit{}, err
	}
	for _, statement := range append(tables(), guard.Schema()) {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return audit{}, err
		}
	}
	s.replicas, s.reports = map[string]*process{}, make(chan report, 1000)
	defer s.stop()
	if err := s.play(ctx); err != nil {
		return audit{}, err
	}
	s.stop()
	result, err := read(ctx, s.db)
	result.refused = s.refused
	return result, err
}

func (s *story) play(ctx context.Context) error {
	for _, name := range []string{"a", "b", "c"} {
		if err := s.start(name); err != nil {
			return err
		}
	}
	acts := []func(context.Context) error{s.crash, s.freeze, s.crash, s.freeze}
	if s.server != nil {
		acts = append(acts, s.crashDatabase)
	}
	for _, act := range acts {
		if err := s.more(ctx); err != nil {
			return err
		}
		if err := act(ctx); err != nil {
			return err
		}
	}
	return s.allBilled(ctx)
}

// more writes invoices: more than the active bills in the course of an act that waits for one.
func (s *story) more(ctx context.Context) error {
	const batch = 40
	_, err := s.db.ExecContext(ctx, "INSERT INTO invoices (id, cents) SELECT n, 100 + n % 900 FROM generate_series($1::int, $2::int) n",
		s.invoices+1, s.invoices+batch)
	s.invoices += batch
	return err
}

func (s *story) start(name string) error {
	p, err := startReplica(replicaConfig{Name: name, API: s.api, DSN: s.dsn}, func(r report) { s.reports <- r })
	if err == nil {
		s.replicas[name] = p
	}
	return err
}

// rendering waits until a replica is about to write a charge, and returns it.
func (s *story) rendering(ctx context.Context, but *process) (*process, error) {
	for drained := false; !drained; { // what was reported before is over
		select {
		case r := <-s.reports:
			s.heard(r)
		default:
			drained = true
		}
	}
	for limit := time.After(patience); ; {
		select {
		case r := <-s.reports:
			s.heard(r)
			if p := s.replicas[r.Replica]; r.Kind == reportRendering && p.PID() == r.PID && p != but {
				return p, nil
			}
		case <-limit:
			return nil, fmt.Errorf("nobody bills, after %v", patience)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *story) heard(r report) {
	if r.Kind == reportRefused {
		s.refused++
	}
	if line := "  " + r.Replica + ": " + r.Text; r.Text != "" && line != s.said {
		s.said = line
		s.say(line)
	}
}

// crash kills the active in the middle of an invoice, and runs it again.
func (s *story) crash(ctx context.Context) error {
	p, err := s.rendering(ctx, nil)
	if err != nil {
		return err
	}
	s.say("crash: kill -9 to " + p.config.Name)
	p.Kill()
	if err := s.start(p.config.Name); err != nil {
		return err
	}
	_, err = s.rendering(ctx, nil)
	return err
}

// freeze stops the active in the middle of an invoice until another one bills,
// and then lets it finish what it was at.
func (s *story) freeze(ctx context.Context) error {
	p, err := s.rendering(ctx, nil)
	if err != nil {
		return err
	}
	s.say("freeze: SIGSTOP to " + p.config.Name)
	if err := p.Freeze(); err != nil {
		return err
	}
	if _, err := s.rendering(ctx, p); err != nil {
		return err
	}
	s.say("thaw: SIGCONT to " + p.config.Name)
	if err := p.Thaw(); err != nil {
		return err
	}
	for limit := time.After(patience); ; { // whatever it was at, it fails now
		select {
		case r := <-s.reports:
			s.heard(r)
			if r.PID == p.PID() && r.Kind != reportRendering {
				return nil
			}
		case <-limit:
			return fmt.Errorf("%s did not stop, after %v", p.config.Name, patience)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// crashDatabase kills PostgreSQL while invoices are billed.
func (s *story) crashDatabase(ctx context.Context) error {
	if _, err := s.rendering(ctx, nil); err != nil {
		return err
	}
	s.say("crash: kill -9 to PostgreSQL")
	s.server.Kill()
	if err := s.server.Restart(ctx); err != nil {
		return err
	}
	_, err := s.rendering(ctx, nil)
	return err
}

// allBilled waits until no invoice is open, as long as they become fewer.
func (s *story) allBilled(ctx context.Context) error {
	fewest := s.invoices + 1
	for limit := time.Now().Add(patience); ; {
		var open int
		err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM invoices WHERE NOT billed").Scan(&open)
		switch {
		case err == nil && open == 0:
			return nil
		case err == nil && open < fewest:
			fewest, limit = open, time.Now().Add(patience)
		case time.Now().After(limit):
			return fmt.Errorf("nothing was billed for %v, %d invoices are open", patience, fewest)
		}
		select {
		case r := <-s.reports:
			s.heard(r)
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stop ends all replicas; what they report until then is heard.
func (s *story) stop() {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		var all sync.WaitGroup
		for _, p := range s.replicas {
			all.Go(func() { p.Stop(stopGrace) })
		}
		all.Wait()
	}()
	for {
		select {
		case r := <-s.reports:
			s.heard(r)
		case <-stopped:
			s.replicas = nil
			return
		}
	}
}
