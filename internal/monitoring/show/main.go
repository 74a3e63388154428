// Show plays faults to replicas that a real Prometheus scrapes, with the alerts and the dashboard of
// the component monitoring of examples/deploy. It writes RESULTS.md: which alerts fired in each scene,
// and whether each panel had data. It ends with an error if an alert did not fire that should have, or
// another one did, or a panel had no data.
//
//	go run ./show [-pictures FOLDER] [-results FILE]
//
// It runs in internal/monitoring, as root or where Prometheus is installed, and takes 15 minutes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/hotseat-go/hotseat/internal/monitoring"
)

const (
	namespace, leaseName = "shop", "invoicer"
	replicaArg           = "replica"
	patience             = 4 * time.Minute
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == replicaArg {
		if err := runReplica(); err != nil {
			log.Fatal(err)
		}
		return
	}
	pictures := flag.String("pictures", "", "folder for a picture of the dashboard; empty: none")
	results := flag.String("results", "RESULTS.md", "file to write")
	only := flag.String("only", "", "regular expression of the scenes to play; then nothing is written")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := show(ctx, *pictures, *results, *only); err != nil {
		log.Fatal(err)
	}
}

func show(ctx context.Context, pictures, results, only string) (err error) {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hotseat-monitoring-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(dir)
		} else {
			log.Printf("logs are in %s", dir)
		}
	}()
	s, err := openStage(ctx, dir)
	if err != nil {
		return err
	}
	defer s.close()
	for range 3 {
		if err := s.startHere(ctx); err != nil {
			return err
		}
	}
	began := time.Now()
	var played []outcome
	var wrong []error
	for _, sc := range scenes() {
		if !wanted.MatchString(sc.name) {
			continue
		}
		o, err := s.play(ctx, sc)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		log.Printf("%-14s %3.0f s  fired: %v", o.name, o.to.Sub(o.from).Seconds(), o.fired)
		if !slices.Equal(o.fired, o.fires) {
			wrong = append(wrong, fmt.Errorf("%s: %v fired, must be %v", o.name, o.fired, o.fires))
		}
		played = append(played, o)
	}
	d, err := monitoring.ReadDashboard(".")
	if err != nil {
		return err
	}
	panels, missing, err := s.prom.Panels(ctx, d, began, time.Now())
	if err != nil {
		return err
	}
	if only == "" {
		wrong = append(wrong, missing...)
	}
	if pictures != "" {
		if err := drawPanels(pictures, panels, played); err != nil {
			return err
		}
	}
	if err := errors.Join(wrong...); err != nil || only != "" {
		return err
	}
	return write(results, s.prom.Version, played, panels)
}

// play waits until nothing fires, and plays a scene. What fires in it may go on for as long as an
// alert looks back; the next scene waits for that.
func (s *stage) play(ctx context.Context, sc scene) (o outcome, err error) {
	until := time.Now().Add(patience)
	for quiet := 0; quiet < 3; {
		now, err := s.prom.Quiet(ctx)
		switch {
		case err != nil:
			return o, err
		case now:
			quiet++
		case time.Now().After(until):
			return o, fmt.Errorf("alerts still fire after %v", patience)
		default:
			quiet = 0
		}
		if err := pause(ctx, time.Second); err != nil {
			return o, err
		}
	}
	o = outcome{scene: sc, from: time.Now()}
	if err := sc.play(ctx, s); err != nil {
		return o, err
	}
	if err := pause(ctx, 10*time.Second); err != nil { // what it raises late
		return o, err
	}
	o.to = time.Now()
	o.fired, err = s.prom.Fired(ctx, o.from, o.to)
	return o, err
}
