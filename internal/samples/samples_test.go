package samples

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	s := New("make bench", "from here to there", "Kubernetes v1")
	s.Add("ours", []time.Duration{1234567 * time.Nanosecond, 2 * time.Second})
	s.Add("theirs", []time.Duration{time.Minute})
	require.NoError(t, s.Write(dir, "set"))
	got, err := Read(dir, "set")
	require.NoError(t, err)
	require.Equal(t, s, got)
	require.Equal(t, []float64{0.0012, 2}, got.Groups[0].Seconds)
	require.Regexp(t, `^go1\S*, Kubernetes v1$`, got.Versions)
}

func TestKeepWhereTheVariableSays(t *testing.T) {
	s := New("make bench", "from here to there", "")
	s.Add("ours", []time.Duration{time.Second})
	t.Setenv(Env, "")
	require.NoError(t, s.Keep("set"))
	dir := t.TempDir()
	t.Setenv(Env, dir)
	require.NoError(t, s.Keep("set"))
	got, err := Read(dir, "set")
	require.NoError(t, err)
	require.Equal(t, s, got)
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	const head = `{"Command":"make bench"}` + "\n"
	for name, text := range map[string]string{
		"nothing":      "",
		"no group":     head,
		"no name":      head + `{"Seconds":[1]}`,
		"no times":     head + `{"Name":"ours"}`,
		"cut off":      head + `{"Name":"ours","Seconds":[1`,
		"other fields": head + `{"Name":"ours","Seconds":[1],"Minutes":[1]}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "set.json"), []byte(text), 0o600))
		_, err := Read(dir, "set")
		require.Error(t, err, name)
	}
	_, err := Read(dir, "another")
	require.ErrorIs(t, err, os.ErrNotExist)
}
