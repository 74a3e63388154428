package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKinds(t *testing.T) {
	apache, err := os.ReadFile(filepath.Join("..", "..", "LICENSE"))
	require.NoError(t, err)
	for text, want := range map[string][]string{
		string(apache): {"Apache-2.0"},
		"Permission is hereby granted, free of charge, to any\nperson obtaining a copy of this": {"MIT"},
		"Redistribution and use in source and binary forms, with or\n// without modification":   nil,
		"Redistribution and use in source and binary forms, with or\n without modification":     {"BSD"},
		"Permission to use, copy, modify, and/or distribute this software for any purpose":      {"ISC"},
		string(apache) + "\nGNU GENERAL PUBLIC LICENSE":                                         nil,
		"All rights reserved.": nil,
	} {
		require.Equal(t, want, kinds(text))
	}
}

func TestLicenceOf(t *testing.T) {
	dir := t.TempDir()
	_, err := licenceOf(dir)
	require.EqualError(t, err, "no licence file")
	put := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	put("LICENSE.txt", "Permission is hereby granted, free of charge, to any person obtaining a copy")
	names, err := licenceOf(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"MIT"}, names)
	put("COPYING", "Ask me.")
	_, err = licenceOf(dir)
	require.ErrorContains(t, err, "COPYING is of no kind that is allowed")
}

func TestImportable(t *testing.T) {
	require.Equal(t, []string{rootPath + "/lease", rootPath + "/fencing"}, importable([]string{
		rootPath + "/lease", rootPath + "/internal/sim", rootPath + "/examples", rootPath + "/examples/http", rootPath + "/fencing",
	}))
}

func TestAddLinked(t *testing.T) {
	all := map[string]linked{}
	require.NoError(t, addLinked(all, `{} {"Module": {"Path": "example.com/x", "Version": "v1.0.0", "Dir": "/d"}}
		{"Module": {"Path": "github.com/hotseat-go/hotseat"}}`))
	require.Equal(t, map[string]linked{"example.com/x v1.0.0": {"example.com/x", "v1.0.0", "/d"}}, all)
}
