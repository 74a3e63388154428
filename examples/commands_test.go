package examples

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/util/jsonpath"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// Each command of README and the guide, in a block or in the text, is one that works.
func TestCommandsInTheDocs(t *testing.T) {
	commands := 0
	for _, p := range guidePages(t) {
		for _, b := range p.blocks {
			if b.language != "" || strings.HasPrefix(b.text, "time=") { // TestLogsInTheDocsAreReal
				continue
			}
			for line := range strings.Lines(strings.ReplaceAll(b.text, "\\\n", " ")) {
				commands++
				if err := works(t, line, true); err != nil {
					t.Errorf("%s: %s: %v", p.path, strings.TrimSpace(line), err)
				}
			}
		}
		for _, span := range p.code() {
			if !regexp.MustCompile(`^([A-Z_]+=\S+ )*(make|go|kubectl|\.ci/run)( |$)`).MatchString(span) {
				continue
			}
			commands++
			if err := works(t, span, false); err != nil {
				t.Errorf("%s: %s: %v", p.path, span, err)
			}
		}
	}
	for _, span := range parsePage(t, "CONTRIBUTING.md").code() {
		if regexp.MustCompile(`^(make|go test) `).MatchString(span) {
			commands++
			if err := works(t, span, false); err != nil {
				t.Errorf("CONTRIBUTING.md: %s: %v", span, err)
			}
		}
	}
	require.Greater(t, commands, 20)
}

// What would be wrong with a command is found.
func TestWrongCommands(t *testing.T) {
	for _, command := range []string{
		"make tset", "go run ./examples/quikstart", "go run ./examples/quickstart -quick", "go run ./fencing", "go test ./fencin/...",
		"go test -run TestNothing ./fencing", "go test -rnu TestReplay ./fencing", "go mod edit -replace example.com/other=<your clone>",
		"go mod tidi", "go mod tidy ./...", "go install ./examples/worker", "kubectl foo lease invoicer", "kubectl get leese invoicer", "kubectl get lease invoiser",
		"kubectl get lease invoicer -o jsonpath='{.metadata.annotations.hotseat-go\\.github\\.io/fencing-epock}'",
		"kubectl annotate lease invoicer hotseat-go.github.io/fencing-epoch=<a greater number>",
		"kubectl annotate lease invoicer --overwrite hotseat-go.github.io/fencing-epock=<a greater number>",
		"kubectl apply -k examples/deplou", "kubectl apply -f examples/deploy", "kubectl apply -k examples/deploy/components/network-policy",
		"docker build --file examples/deploy/Dockerfil --tag example.com/invoicer:1.0.0 .", "docker build --file examples/deploy/Dockerfile --tag example.com/invoicer .",
		"kubectl scale deployment invoicer --replica=0", "docker run hotseat",
		"kubectl get lease", "POD_NAMESPASE=default go run ./examples/worker",
	} {
		require.Error(t, works(t, command, true), command)
	}
}

// works returns what is wrong with a command. One in the text may be a part of one.
func works(t *testing.T, command string, whole bool) error {
	words := split(command)
	for len(words) > 0 {
		name, _, assignment := strings.Cut(words[0], "=")
		if !assignment {
			break
		}
		if !slices.Contains([]string{"KUBECONFIG", "POD_NAMESPACE", "SIM_SEED", "HOTSEAT_DSN"}, name) {
			return fmt.Errorf("nobody reads $%s", name)
		}
		words = words[1:]
	}
	switch {
	case len(words) == 0:
		return errors.New("is empty")
	case words[0] == "make":
		return isTarget(t, words[1:])
	case words[0] == "kubectl" && !whole && len(words) < 4:
		_, known := kubectls[words[min(1, len(words)-1)]]
		if !known && len(words) > 1 && !slices.Contains(onRealServer, words[1]) {
			return errors.New("has a verb that no test plays")
		}
		return nil
	case words[0] == "kubectl" && len(words) > 1:
		play, known := kubectls[words[1]]
		if !known {
			return errors.New("has a verb that no test plays")
		}
		return play(t, words[2:])
	case words[0] == "docker":
		return buildsImage(t, words[1:])
	case words[0] == "go" && len(words) > 2 && words[1] == "run":
		return isProgram(words[2], words[3:])
	case words[0] == "go" && len(words) > 2 && words[1] == "test":
		return isTest(t, words[2:])
	case words[0] == "go" && len(words) > 3 && words[1] == "build" && words[2] == "-C":
		return isProgram(words[3], nil)
	case command == "go mod tidy" || command == "go mod tidy\n":
		return nil
	case words[0] == "go" && len(words) == 5 && words[1] == "mod" && words[2] == "edit":
		return edits(t, words[3:])
	}
	return errors.New("is of no kind that a test checks")
}

// split returns the words of a command, as a shell does. What stands in <> is one word.
func split(command string) (words []string) {
	command, _, _ = strings.Cut(command, " # ")
	for _, word := range regexp.MustCompile(`(?:[^\s'<]|'[^']*'|<[^>]*>)+`).FindAllString(command, -1) {
		words = append(words, strings.ReplaceAll(word, "'", ""))
	}
	return words
}

func isTarget(t *testing.T, targets []string) error {
	makefile := read(t, filepath.Join(root, "Makefile"))
	for _, target := range targets {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:.* ## `).MatchString(makefile) {
			return fmt.Errorf("there is no target %s", target)
		}
	}
	return nil
}

// isProgram looks for a main package, and for the flags in its source.
func isProgram(path string, flags []string) error {
	files, err := filepath.Glob(filepath.Join(root, path, "*.go"))
	if err != nil {
		return err
	}
	known, isMain := map[string]bool{}, false
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		isMain = isMain || parsed.Name.Name == "main"
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && fmt.Sprint(f.X) == "flag" {
				for _, argument := range call.Args[:min(2, len(call.Args))] {
					if name, ok := argument.(*ast.BasicLit); ok && name.Kind == token.STRING {
						known[strings.Trim(name.Value, `"`)] = true
						break
					}
				}
			}
			return true
		})
	}
	if !isMain {
		return fmt.Errorf("there is no program in %s", path)
	}
	for _, flag := range flags {
		if name, ok := strings.CutPrefix(flag, "-"); ok && !known[name] {
			return fmt.Errorf("%s knows no flag %s", path, flag)
		}
	}
	return nil
}

func isTest(t *testing.T, args []string) error {
	var run *regexp.Regexp
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if args[0] != "-run" || len(args) < 2 {
			return fmt.Errorf("has the flag %s, which this test does not know", args[0])
		}
		run = regexp.MustCompile(args[1])
		args = args[2:]
	}
	for _, path := range args {
		folder, _ := strings.CutSuffix(path, "/...")
		if _, err := os.Stat(filepath.Join(root, folder)); err != nil {
			return err
		}
		if run == nil {
			continue
		}
		files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
		require.NoError(t, err)
		if !slices.ContainsFunc(files, func(file string) bool {
			return slices.ContainsFunc(regexp.MustCompile(`(?m)^func (Test\w+)`).FindAllStringSubmatch(read(t, file), -1),
				func(name []string) bool { return run.MatchString(name[1]) })
		}) {
			return fmt.Errorf("%s has no test %v", path, run)
		}
	}
	return nil
}

// edits makes the edit in a module of its own, which then must find the module in the clone.
func edits(t *testing.T, args []string) error {
	clone, err := filepath.Abs(root)
	require.NoError(t, err)
	module := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(module, "go.mod"), []byte("module example.com/yours\n\ngo 1.26\n"), 0o600))
	inModule := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = module, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "<your clone>", clone)
	}
	if out, err := inModule(append([]string{"mod", "edit"}, args...)...); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	out, err := inModule("mod", "edit", "-json")
	require.NoError(t, err, out)
	var mod struct {
		Replace []struct{ Old, New struct{ Path string } }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &mod))
	if len(mod.Replace) != 1 {
		return fmt.Errorf("replaces %+v", mod.Replace)
	}
	replaced := mod.Replace[0]
	folder, ours := strings.CutPrefix(replaced.Old.Path, "github.com/hotseat-go/hotseat")
	if !ours || replaced.New.Path != clone+folder {
		return fmt.Errorf("replaces %+v", replaced)
	}
	if !strings.HasPrefix(read(t, filepath.Join(clone, folder, "go.mod")), "module "+replaced.Old.Path+"\n") {
		return fmt.Errorf("%s is no module of its own", folder)
	}
	return nil
}

// kubectls play what kubectl does with the arguments after each verb.
var kubectls = map[string]func(t *testing.T, args []string) error{
	"get": getsLease, "annotate": annotatesLease, "apply": applies, "scale": scales, "hotseat": plugin,
}

// onRealServer are the verbs that internal/e2e plays to a real API server.
var onRealServer = []string{"apply", "replace", "delete"}

// getsLease evaluates a JSON path on a Lease that an elector holds, which must have something there.
func getsLease(t *testing.T, args []string) error {
	if len(args) != 4 || args[0] != "lease" || args[1] != "invoicer" || args[2] != "-o" {
		return errors.New("is not kubectl get lease invoicer -o jsonpath=PATH")
	}
	template, ok := strings.CutPrefix(args[3], "jsonpath=")
	if !ok {
		return errors.New("has no jsonpath")
	}
	path := jsonpath.New("docs")
	if err := path.Parse(template); err != nil {
		return err
	}
	return underTerm(t, func(c *singletontest.Cluster, a *singleton.Elector) error {
		text, err := json.Marshal(c.Lease())
		require.NoError(t, err)
		var lease any
		require.NoError(t, json.Unmarshal(text, &lease))
		var out strings.Builder
		if err := path.Execute(&out, lease); err != nil {
			return err
		}
		if want := []string{a.Identity(), fmt.Sprint(a.Status().Token.Epoch)}; !slices.Contains(want, out.String()) {
			return fmt.Errorf("prints %q, which is none of %q", &out, want)
		}
		return nil
	})
}

// annotatesLease writes the annotation, which must end the term and be below the next one's epoch.
func annotatesLease(t *testing.T, args []string) error {
	if len(args) != 4 || args[0] != "lease" || args[1] != "invoicer" || args[2] != "--overwrite" {
		return errors.New("is not kubectl annotate lease invoicer --overwrite KEY=VALUE")
	}
	key, value, ok := strings.Cut(args[3], "=")
	if key == lease.AnnotationSuccessor && value == "<pod>" {
		return namesSuccessor(t)
	}
	if !ok || !slices.Contains([]string{"<a greater number>", "<mark + 1>"}, value) {
		return errors.New("has no greater number")
	}
	return underTerm(t, func(c *singletontest.Cluster, a *singleton.Elector) error {
		before := a.Status().Token.Epoch
		if c.Lease().Annotations[key] == "" {
			return fmt.Errorf("%s is not on a Lease that is held", key)
		}
		require.NoError(t, c.EditLease(func(l *coordv1.Lease) {
			l.Annotations[key] = strconv.FormatInt(before+1000, 10)
		}))
		time.Sleep(time.Second)
		term, err := a.WaitActive(t.Context())
		require.NoError(t, err)
		if term.Token().Epoch <= before+1000 {
			return fmt.Errorf("the epoch is %d after %d was written over %d", term.Token().Epoch, before+1000, before)
		}
		return nil
	})
}

// namesSuccessor writes the name of a standby, which must then be active.
func namesSuccessor(t *testing.T) error {
	return underTerm(t, func(c *singletontest.Cluster, a *singleton.Elector) error {
		b, err := singleton.New(c.Client("b"), singleton.Config{
			Namespace: "shop", Name: "invoicer", Logger: quiet(), Replica: singleton.ReplicaConfig{Identity: "b"},
		})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx, work) }()
		defer func() { stop(); require.NoError(t, <-done) }()
		synctest.Wait()
		require.NoError(t, c.EditLease(func(l *coordv1.Lease) {
			l.Annotations[lease.AnnotationSuccessor] = "b"
		}))
		synctest.Wait()
		if !b.IsActive() || a.IsActive() {
			return errors.New("the named replica is not active")
		}
		return nil
	})
}

// underTerm calls f while an elector is active.
func underTerm(t *testing.T, f func(c *singletontest.Cluster, a *singleton.Elector) error) (err error) {
	synctest.Test(t, func(t *testing.T) {
		c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		defer c.Close()
		a, err2 := singleton.New(c.Client("a"), singleton.Config{Namespace: "shop", Name: "invoicer", Logger: quiet()})
		require.NoError(t, err2)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx, work) }()
		_, err2 = a.WaitActive(t.Context())
		require.NoError(t, err2)
		err = f(c, a)
		stop()
		require.NoError(t, <-done)
	})
	return err
}
