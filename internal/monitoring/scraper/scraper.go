// Package scraper runs Debian's Prometheus with the alerts of the component monitoring, which are
// faster, and asks it which alerts fired and what the dashboard's panels have.
package scraper

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/internal/monitoring"
	"github.com/hotseat-go/hotseat/internal/proc"
	"github.com/hotseat-go/hotseat/internal/services"
)

// Factor is by how much the alerts are faster.
const Factor = 12

// Prometheus is one that runs. Its methods are safe for concurrent use, but for Scrape and Close.
type Prometheus struct {
	Version string

	url, dir string
	process  *proc.Process
}

// Config of a [Prometheus].
type Config struct {
	Dir   string // where it keeps everything
	Below string // the path to the folder internal/monitoring
	Proxy string // URL of a proxy to the targets; empty: there is none
	// Relabel is metric_relabel_configs.
	Relabel []any
}

// Target is a process that is scraped, with the labels that all its metrics get.
type Target struct {
	Addr   string
	Labels map[string]string
}

// Start installs Prometheus if it is missing and may be, and runs it. It scrapes each second.
func Start(ctx context.Context, c Config) (*Prometheus, error) {
	bin, err := services.Program(ctx, "prometheus", "prometheus")
	if err != nil {
		return nil, err
	}
	version, err := exec.CommandContext(ctx, bin, "--version").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", bin, err)
	}
	rules, err := monitoring.FasterRules(c.Below, Factor)
	if err != nil {
		return nil, err
	}
	job := map[string]any{
		"job_name": "invoicer", "honor_labels": true, "metric_relabel_configs": c.Relabel,
		"file_sd_configs": []any{map[string]any{"files": []string{"targets.json"}, "refresh_interval": "1s"}},
	}
	if c.Proxy != "" {
		job["proxy_url"] = c.Proxy
	}
	config := map[string]any{
		"global": map[string]any{
			"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s",
		},
		"rule_files": []string{"rules.json"}, "scrape_configs": []any{job},
	}
	for name, value := range map[string]any{"rules.json": rules, "prometheus.json": config} {
		if err := writeJSON(filepath.Join(c.Dir, name), value); err != nil {
			return nil, err
		}
	}
	ports, err := proc.FreePorts(1)
	if err != nil {
		return nil, err
	}
	p := &Prometheus{url: "http://127.0.0.1:" + ports[0], dir: c.Dir}
	p.Version, _, _ = strings.Cut(string(version), "\n")
	if err := p.Scrape(nil); err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, "--config.file=prometheus.json", "--storage.tsdb.path=data",
		"--query.lookback-delta=15s", "--web.listen-address=127.0.0.1:"+ports[0])
	cmd.Dir = c.Dir
	options := proc.Options{Log: filepath.Join(c.Dir, "prometheus.log")}
	if p.process, err = proc.Start(cmd, options); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := p.process.Await(ctx, p.ready); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close ends it.
func (p *Prometheus) Close() { p.process.Stop(10 * time.Second) }

// Scrape says whom it scrapes from now on.
func (p *Prometheus) Scrape(targets []Target) error {
	type group struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	groups := []group{}
	for _, t := range targets {
		groups = append(groups, group{[]string{t.Addr}, t.Labels})
	}
	return writeJSON(filepath.Join(p.dir, "targets.json"), groups)
}

// writeJSON replaces a file at once: Prometheus must not read half of one.
func writeJSON(path string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
