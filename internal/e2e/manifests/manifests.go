// Package manifests builds what examples/deploy ships, as kubectl apply -k does, so that every test
// runs what users apply.
package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Build returns what a folder such as examples/deploy ships, with components of its folder
// components, as YAML. It changes nothing there. With components, the folder may name no other one
// above it.
func Build(folder string, components ...string) ([]byte, error) {
	files, at := filesys.MakeFsOnDisk(), folder
	if len(components) > 0 {
		var err error
		if files, err = overlay(folder, components); err != nil {
			return nil, err
		}
		at = "/deploy"
	}
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy // kubectl's
	built, err := krusty.MakeKustomizer(options).Run(files, at)
	if err != nil {
		return nil, fmt.Errorf("manifests: %s with %v: %w", folder, components, err)
	}
	return built.AsYaml()
}

// overlay is the folder with the components named in its kustomization.yaml, in memory.
func overlay(folder string, components []string) (filesys.FileSystem, error) {
	files := filesys.MakeFsInMemory()
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" && filepath.Ext(path) != ".json" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if file == "kustomization.yaml" {
			if text, err = name(text, components); err != nil {
				return err
			}
		}
		return files.WriteFile(filepath.Join("/deploy", file), text)
	})
	return files, err
}

// Placeholder is the line of examples/deploy/kustomization.yaml in which a user names components.
const Placeholder = "components: []"

// name puts the components there.
func name(text []byte, components []string) ([]byte, error) {
	if !bytes.Contains(text, []byte("\n"+Placeholder)) {
		return nil, fmt.Errorf("manifests: kustomization.yaml has no line %q", Placeholder)
	}
	list := "components:\n- components/" + strings.Join(components, "\n- components/")
	return bytes.Replace(text, []byte(Placeholder), []byte(list), 1), nil
}

// Monitoring is the API group of the Prometheus operator.
const Monitoring = "monitoring.coreos.com/v1"

// Objects are those of a built YAML. A field that Kubernetes does not know is an error. Objects of
// the Prometheus operator are not typed.
func Objects(built []byte) ([]runtime.Object, error) {
	var all []runtime.Object
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(built))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("manifests: %w", err)
		}
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return nil, fmt.Errorf("manifests: %w:\n%s", err, document)
		}
		if kind.APIVersion == Monitoring {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(document, &object.Object); err != nil {
				return nil, fmt.Errorf("manifests: %w:\n%s", err, document)
			}
			all = append(all, object)
			continue
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("manifests: %w:\n%s", err, document)
		}
		all = append(all, object)
	}
}
