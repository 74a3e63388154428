package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/internal/controlplane"
)

// header says what was measured, on what, and when. It builds the control plane
// if a section needs it.
func header(out io.Writer, chosen []section) error {
	fmt.Fprintf(out, "# hotseat beside client-go %s\n\n", moduleVersion("k8s.io/client-go"))
	fmt.Fprintf(out, "%s, %s/%s, %d CPUs%s, %s.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), machine(), time.Now().UTC().Format(time.DateOnly))
	if !slices.ContainsFunc(chosen, func(s section) bool { return s.real }) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	b, err := controlplane.Build(ctx, os.Getenv(controlplane.EnvKubernetes), os.Stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Real API server: Kubernetes %s on one etcd %s, beside the replicas on the same machine.\n", b.KubeVersion, b.EtcdVersion)
	return nil
}

func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == path {
				return dep.Version
			}
		}
	}
	return "?"
}

// machine is the processor and the memory, where the kernel says.
func machine() string {
	field := func(file, name string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			return ""
		}
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
				return strings.TrimSpace(value)
			}
		}
		return ""
	}
	var out string
	if model := field("/proc/cpuinfo", "model name"); model != "" {
		out += " (" + model + ")"
	}
	var kB int
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kB); err == nil {
		out += fmt.Sprintf(", %d GB", (kB+1<<19)>>20)
	}
	return out + load1()
}

// load1 is how busy the machine was with other things just before.
func load1() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return ", load average before " + strings.Fields(string(text))[0]
}
