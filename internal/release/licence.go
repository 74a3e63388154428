package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// linked is a module that ends in a build of ours.
type linked struct{ Path, Version, Dir string }

// licences looks for that of each module that the packages of ours link, and
// refuses what is not known to ask for no more than to be named.
func (c *check) licences(ctx context.Context) error {
	all := map[string]linked{}
	for _, m := range c.modules {
		dir := filepath.Join(c.root, m.dir)
		said, err := command(ctx, dir, nil, c.goTool, "list", "./...")
		if err != nil {
			return err
		}
		list := []string{c.goTool, "list", "-deps", "-json=Module"}
		list = append(list, importable(strings.Fields(said))...)
		if said, err = command(ctx, dir, nil, list...); err != nil {
			return err
		}
		if err := addLinked(all, said); err != nil {
			return err
		}
	}
	var failed error
	for _, path := range slices.Sorted(maps.Keys(all)) {
		m := all[path]
		names, err := licenceOf(m.Dir)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s %s: %w", m.Path, m.Version, err))
			continue
		}
		name := m.Path + " " + m.Version
		fmt.Fprintf(c.out, "release-check: licence of %-50s %s\n", name, strings.Join(names, ", "))
	}
	return failed
}

// importable are the packages that others can import. What is in internal and
// linked by one of them is found through it.
func importable(packages []string) []string {
	return slices.DeleteFunc(packages, func(path string) bool {
		below := strings.TrimPrefix(path, rootPath)
		return strings.HasPrefix(below, "/internal/") || strings.HasPrefix(below, "/examples")
	})
}

// addLinked reads what go list says of packages.
func addLinked(all map[string]linked, said string) error {
	for packages := json.NewDecoder(strings.NewReader(said)); ; {
		var p struct{ Module *linked }
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if p.Module == nil || ours(p.Module.Path) { // the standard library, and us
			continue
		}
		all[p.Module.Path+" "+p.Module.Version] = *p.Module
	}
}

// licenceOf names the licences in a module's top folder.
func licenceOf(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		upper := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(upper, "LICEN") && !strings.HasPrefix(upper, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		found := kinds(string(text))
		if len(found) == 0 {
			return nil, fmt.Errorf("%s is of no kind that is allowed (licence.go lists those)", e.Name())
		}
		names = append(names, found...)
	}
	if len(names) == 0 {
		return nil, errors.New("no licence file")
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// kinds are the licences in a text, of those that are allowed, and none when one
// that is not allowed is among them. Each is told by a sentence of its own.
func kinds(text string) []string {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
	for _, sentence := range []string{
		"gnu general public license", "gnu lesser general public license",
		"gnu affero general public license", "mozilla public license",
		"server side public license", "business source license", "commons clause",
	} {
		if strings.Contains(text, sentence) {
			return nil
		}
	}
	var found []string
	for name, sentence := range map[string]string{
		"Apache-2.0": "apache license version 2.0",
		"MIT":        "permission is hereby granted, free of charge, to any person obtaining a copy",
		"BSD":        "redistribution and use in source and binary forms, with or without modification",
		"ISC":        "permission to use, copy, modify, and/or distribute this software for any purpose",
	} {
		if strings.Contains(text, sentence) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}
