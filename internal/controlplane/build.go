//go:build unix

package controlplane

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// EnvKubernetes names the Kubernetes minor to run: [Newest] or [Oldest].
const EnvKubernetes = "HOTSEAT_KUBERNETES"

// The minors that the tests run: the newest, and the oldest that README claims.
const (
	Newest = "1.37"
	Oldest = "1.33"
)

// module is a nested module that a binary is built from.
type module struct {
	dir     string // below testdata
	modfile string // go.mod, or another one beside it
	main    string // the module whose version names the binary
}

func modules(minor string) (kube, etcd module, err error) {
	kube = module{dir: "kube", modfile: "go.mod", main: "k8s.io/kubernetes"}
	switch minor {
	case "", Newest:
	case Oldest:
		kube.modfile = "oldest.mod"
	default:
		return kube, etcd, fmt.Errorf("controlplane: %s=%s: must be %s or %s", EnvKubernetes, minor, Newest, Oldest)
	}
	return kube, module{dir: "etcd", modfile: "go.mod", main: "go.etcd.io/etcd/server/v3"}, nil
}

// Binaries are the paths of what a control plane is made of.
type Binaries struct {
	Kube, Etcd               string
	KubeVersion, EtcdVersion string
	assets                   string // the folder that they are in, instead of Kube and Etcd
}

// Build returns the binaries of a minor, [Newest] if it is empty, and builds
// them if they are not in the cache: 10 minutes and more on two cores. How far
// it is goes to progress each half minute. Concurrent calls, also of several
// processes, build once. Where EnvAssets names a folder, they are that folder's.
func Build(ctx context.Context, minor string, progress io.Writer) (b Binaries, err error) {
	if dir := os.Getenv(EnvAssets); dir != "" {
		return assets(ctx, dir, minor)
	}
	kube, etcd, err := modules(minor)
	if err != nil {
		return b, err
	}
	if b.Etcd, b.EtcdVersion, err = etcd.build(ctx, progress); err != nil {
		return b, err
	}
	b.Kube, b.KubeVersion, err = kube.build(ctx, progress)
	return b, err
}

func (m module) build(ctx context.Context, progress io.Writer) (path, version string, err error) {
	source, root, err := folders()
	if err != nil {
		return "", "", err
	}
	m.dir = filepath.Join(source, "testdata", m.dir)
	if version, err = m.version(); err != nil {
		return "", "", err
	}
	name := filepath.Base(m.dir)
	dir := filepath.Join(root, ".cache", "controlplane", name+"-"+version+"-"+runtime.Version())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", "", err
	}
	unlock, err := lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", "", err
	}
	defer unlock()
	path = filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, version, nil
	}
	began := time.Now()
	fmt.Fprintf(progress, "controlplane: building %s %s, once; this takes minutes\n", m.main, version)
	if err := m.compile(ctx, path+".new", progress); err != nil {
		return "", "", fmt.Errorf("controlplane: building %s: %w", m.main, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return "", "", err
	}
	fmt.Fprintf(progress, "controlplane: built %s %s in %v\n", m.main, version, time.Since(began).Round(time.Second))
	return path, version, nil
}

// version is the one that the modfile requires.
func (m module) version() (string, error) {
	text, err := os.ReadFile(filepath.Join(m.dir, m.modfile))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == m.main {
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("controlplane: %s does not require %s", m.modfile, m.main)
}

// compile runs go build and says how many packages are done.
func (m module) compile(ctx context.Context, out string, progress io.Writer) error {
	tool := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = m.dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
		return cmd
	}
	list := tool("list", "-modfile", m.modfile, "-deps", ".")
	packages, err := list.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return err
	}
	build := tool("build", "-v", "-modfile", m.modfile, "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	said, err := build.StderrPipe()
	if err != nil {
		return err
	}
	if err := build.Start(); err != nil {
		return err
	}
	var last bytes.Buffer
	compiled, total, told := 0, bytes.Count(packages, []byte("\n")), time.Now()
	for lines := bufio.NewScanner(said); lines.Scan(); {
		compiled++
		fmt.Fprintln(&last, lines.Text())
		if time.Since(told) > 30*time.Second {
			told = time.Now()
			fmt.Fprintf(progress, "controlplane: %s: %d of %d packages\n", m.main, compiled, total)
			last.Reset()
		}
	}
	if err := build.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, last.Bytes())
	}
	return nil
}

// folders are that of this package's source and that of the module.
func folders() (source, root string, err error) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}\n{{.Module.Dir}}", "github.com/hotseat-go/hotseat/internal/controlplane").Output()
	if err != nil {
		return "", "", fmt.Errorf("controlplane: go list: %w", err)
	}
	source, root, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	return source, root, nil
}
