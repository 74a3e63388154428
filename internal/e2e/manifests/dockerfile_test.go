package manifests

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestDockerfile reads the Dockerfile as BuildKit does, and runs its build here. No test builds an
// image with it: the one that it begins with is in a registry.
func TestDockerfile(t *testing.T) {
	f, err := os.Open(filepath.Join(folder, "Dockerfile"))
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	read, err := parser.Parse(f)
	require.NoError(t, err)
	require.Empty(t, read.Warnings)
	stages, _, err := instructions.Parse(read.AST, nil)
	require.NoError(t, err)
	require.Len(t, stages, 2)
	build, image := stages[0], stages[1]

	t.Run("the image", func(t *testing.T) {
		require.Equal(t, "scratch", image.BaseName)
		var copied []string
		for _, c := range image.Commands {
			switch c := c.(type) {
			case *instructions.CopyCommand:
				require.Equal(t, build.Name, c.From)
				copied = append(copied, c.SourcePaths...)
			case *instructions.UserCommand:
				id, _, _ := strings.Cut(c.User, ":")
				uid, err := strconv.ParseInt(id, 10, 64)
				require.NoError(t, err, "runAsNonRoot takes a number")
				require.NotZero(t, uid)
			case *instructions.EntrypointCommand:
				require.False(t, c.PrependShell, "there is no shell")
				require.Len(t, c.CmdLine, 1)
				require.Contains(t, copied, c.CmdLine[0])
			}
		}
		require.Equal(t, []string{"COPY", "COPY", "USER", "ENTRYPOINT"}, names(image.Commands))
		require.Empty(t, shippedContainer(t).Command, "the ENTRYPOINT is the image's")
	})
	t.Run("the build", func(t *testing.T) {
		i := slices.IndexFunc(build.Commands, func(c instructions.Command) bool { return c.Name() == "RUN" })
		require.Positive(t, i)
		run := build.Commands[i].(*instructions.RunCommand)
		require.True(t, run.PrependShell)
		program := filepath.Join(t.TempDir(), "program")
		line := strings.Join(run.CmdLine, " ")
		require.Equal(t, 1, strings.Count(line, "-o /program "))
		command := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(line, "/program", program, 1))
		command.Dir = filepath.Join(folder, "../..") // the build's context
		command.Env = append(os.Environ(), arguments(t, build)...)
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))

		binary, err := elf.Open(program)
		require.NoError(t, err)
		defer func() { _ = binary.Close() }()
		require.False(t, slices.ContainsFunc(binary.Progs, func(p *elf.Prog) bool {
			return p.Type == elf.PT_INTERP
		}), "a static program needs no loader, and scratch has none")
	})
}

// arguments are the defaults of a stage's build arguments.
func arguments(t *testing.T, s instructions.Stage) (all []string) {
	t.Helper()
	for _, c := range s.Commands {
		if c, is := c.(*instructions.ArgCommand); is {
			for _, a := range c.Args {
				require.NotNil(t, a.Value, a.Key)
				all = append(all, a.Key+"="+*a.Value)
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

// names are those of instructions.
func names(commands []instructions.Command) (all []string) {
	for _, c := range commands {
		all = append(all, c.Name())
	}
	return all
}

// shippedContainer is the base's.
func shippedContainer(t *testing.T) corev1.Container {
	t.Helper()
	built, err := Build(folder)
	require.NoError(t, err)
	objects, err := Objects(built)
	require.NoError(t, err)
	i := slices.IndexFunc(objects, func(o runtime.Object) bool {
		_, is := o.(*appsv1.Deployment)
		return is
	})
	require.GreaterOrEqual(t, i, 0)
	return objects[i].(*appsv1.Deployment).Spec.Template.Spec.Containers[0]
}
