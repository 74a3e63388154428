//go:build unix

package fromsource

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// compile runs go build, into a folder, and says how many packages are done.
func (m Module) compile(ctx context.Context, out string, progress io.Writer) error {
	list := m.tool(ctx, "list", "-deps")
	packages, err := list.Output()
	if err != nil {
		return complaint(err)
	}
	version, err := m.Version()
	if err != nil {
		return err
	}
	link := []string{"-ldflags=-s -w"}
	for _, variable := range m.Says {
		link = append(link, "-X "+variable+"="+version)
	}
	build := m.tool(ctx, "build", "-v", "-trimpath", strings.Join(link, " "), "-o", out+"/")
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
			fmt.Fprintf(progress, "fromsource: %s: %d of %d packages\n", m.Main, compiled, total)
			last.Reset()
		}
	}
	if err := build.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, last.Bytes())
	}
	return nil
}

// tool is a command of go's about the packages.
func (m Module) tool(ctx context.Context, command string, flags ...string) *exec.Cmd {
	args := append([]string{command}, flags...)
	args = append(append(args, "-modfile", m.modfile(), "-tags", m.Tags), m.Packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = m.Dir
	cgo := "CGO_ENABLED=0"
	if m.CGO {
		cgo = "CGO_ENABLED=1"
	}
	cmd.Env = append(os.Environ(), cgo, "GOFLAGS=-mod=readonly", "GOWORK=off")
	return cmd
}
