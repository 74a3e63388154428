//go:build unix

package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hotseat-go/hotseat/internal/proc"
)

// Process is one part of the control plane. Its methods are not safe for
// concurrent use with each other.
type Process struct {
	name string
	log  string // the file it writes to
	args []string
	in   *Network
	run  *proc.Process // its current life
}

// start runs it. It ends with this process, however that ends.
func (p *Process) start() error {
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Dir = filepath.Dir(p.log)
	o := proc.Options{Log: p.log}
	if p.in != nil {
		o.Enter = p.in.Enter
	}
	run, err := proc.Start(cmd, o)
	if err != nil {
		return fmt.Errorf("controlplane: %s: %w", p.name, err)
	}
	p.run = run
	return nil
}

// PID is the process id of its current life; 0 when it is not running.
func (p *Process) PID() int {
	if p.run == nil || p.run.Gone() {
		return 0
	}
	return p.run.PID()
}

// Kill ends it at once (SIGKILL) and waits until it is gone.
func (p *Process) Kill() {
	if p.run != nil {
		p.run.Kill()
	}
}

// Freeze stops it (SIGSTOP) until [Process.Thaw].
func (p *Process) Freeze() error { return p.run.Freeze() }

// Thaw lets it go on.
func (p *Process) Thaw() error { return p.run.Thaw() }

// healthy asks an URL whose answer is 200 once all is well.
func (p *Process) healthy(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.DefaultClient
	if p.in != nil {
		client = &http.Client{Transport: &http.Transport{DialContext: p.in.Dial, DisableKeepAlives: true}}
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

// await asks until ready says nil, the process is gone or ctx ends.
func (p *Process) await(ctx context.Context, ready func(context.Context) error) error {
	if err := p.run.Await(ctx, ready); err != nil {
		return fmt.Errorf("controlplane: %s: %w", p.name, err)
	}
	return nil
}
