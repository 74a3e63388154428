package examples

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// The manifests of the guide are files too, which the tests on a real API server apply.
func TestGuideShowsTheManifests(t *testing.T) {
	shown := map[string]bool{}
	for _, b := range parsePage(t, "internal/docs/guide/deploy.md").blocks {
		if b.language != "yaml" {
			continue
		}
		files, err := filepath.Glob("deploy/*/*.yaml")
		require.NoError(t, err)
		i := slices.IndexFunc(files, func(f string) bool { return read(t, f) == b.text })
		require.GreaterOrEqual(t, i, 0, "no file of deploy/base is:\n%s", b.text)
		shown[files[i]] = true
	}
	require.Equal(t, map[string]bool{"deploy/base/deployment.yaml": true, "deploy/base/lease.yaml": true}, shown)
	for _, b := range parsePage(t, "internal/docs/guide/traffic.md").blocks {
		if b.language == "yaml" { // of programs that no test runs
			var parsed map[string]any
			require.NoError(t, yaml.Unmarshal([]byte(b.text), &parsed), b.text)
		}
	}
}

// The chart's Lease of the guide is the one of the manifests, once Helm has named it.
func TestGuideShowsTheLeaseOfAChart(t *testing.T) {
	var charts []string
	for _, b := range parsePage(t, "internal/docs/guide/gitops.md").blocks {
		if b.language != "yaml" {
			continue
		}
		chart := template.Must(template.New("chart").Option("missingkey=error").Parse(b.text))
		var out strings.Builder
		release := map[string]any{"Release": map[string]any{"Name": "invoicer"}}
		require.NoError(t, chart.Execute(&out, release))
		charts = append(charts, out.String())
	}
	require.Len(t, charts, 1)
	var chart, shipped map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(charts[0]), &chart))
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deploy/base/lease.yaml")), &shipped))
	require.Equal(t, shipped, chart)
}

// Who builds the image has the Go version that the module needs, and what the image is named is
// what the folder for kustomize names.
func TestDeployedImage(t *testing.T) {
	_, version, ok := strings.Cut(read(t, "../go.mod"), "\ngo ")
	require.True(t, ok)
	version, _, _ = strings.Cut(version, ".0\n")
	require.Contains(t, read(t, "deploy/Dockerfile"), "FROM golang:"+version+" AS build\n")
	var k struct {
		Images []struct{ Name, NewName, NewTag string }
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deploy/kustomization.yaml")), &k))
	require.Len(t, k.Images, 1)
	require.Contains(t, read(t, "deploy/base/deployment.yaml"), " image: "+k.Images[0].Name+":"+k.Images[0].NewTag+"\n")
}

// applies reads the folder, whose objects internal/e2e applies to a real API server.
func applies(t *testing.T, args []string) error {
	if len(args) != 2 || args[0] != "-k" {
		return errors.New("is not kubectl apply -k FOLDER")
	}
	kinds, err := kindsIn(filepath.Join(root, args[1]))
	if err != nil {
		return err
	}
	if !slices.Contains(kinds, "Lease/invoicer") {
		return fmt.Errorf("%s has no Lease", args[1])
	}
	return nil
}

// buildsImage looks for the Dockerfile. The image must be the one that the manifests name.
func buildsImage(t *testing.T, args []string) error {
	if len(args) != 6 || args[0] != "build" || args[1] != "--file" || args[3] != "--tag" || args[5] != "." {
		return errors.New("it must be: docker build --file FILE --tag IMAGE DIR, with . as DIR")
	}
	if _, err := os.Stat(filepath.Join(root, args[2])); err != nil {
		return err
	}
	if !strings.Contains(read(t, "deploy/base/deployment.yaml"), " image: "+args[4]+"\n") {
		return fmt.Errorf("the manifests have another image than %s", args[4])
	}
	return nil
}

// scales looks for the Deployment.
func scales(t *testing.T, args []string) error {
	if len(args) != 3 || args[0] != "deployment" || args[2] != "--replicas=0" {
		return errors.New("is not kubectl scale deployment NAME --replicas=0")
	}
	kinds, err := kindsIn("deploy")
	require.NoError(t, err)
	if !slices.Contains(kinds, "Deployment/"+args[1]) {
		return fmt.Errorf("the manifests have no Deployment %s", args[1])
	}
	return nil
}

// kindsIn returns what the files of a folder for kustomize have, and those of the folders that it
// names.
func kindsIn(folder string) (kinds []string, err error) {
	text, err := os.ReadFile(filepath.Join(folder, "kustomization.yaml"))
	if err != nil {
		return nil, err
	}
	var k struct{ Resources []string }
	if err := yaml.Unmarshal(text, &k); err != nil {
		return nil, err
	}
	for _, r := range k.Resources {
		read := kindsOf
		if filepath.Ext(r) == "" {
			read = kindsIn
		}
		more, err := read(filepath.Join(folder, r))
		if err != nil {
			return nil, err
		}
		kinds = append(kinds, more...)
	}
	return kinds, nil
}

func kindsOf(path string) (kinds []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 1<<10); ; {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
		}
		switch err := documents.Decode(&object); {
		case errors.Is(err, io.EOF):
			return kinds, nil
		case err != nil:
			return nil, err
		}
		kinds = append(kinds, object.Kind+"/"+object.Metadata.Name)
	}
}
