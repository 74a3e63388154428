package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/samples"
)

// The pictures that the pages show are those of the samples beside them, to the letter.
func TestPicturesAreOfTheSamples(t *testing.T) {
	drawn := t.TempDir()
	require.NoError(t, drawAll(samplesDir, drawn))
	for _, p := range pictures() {
		want, err := os.ReadFile(filepath.Join(drawn, p.name+".svg"))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(picsDir, p.name+".svg"))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s: go run . draws it anew", p.name)
	}
	there, err := filepath.Glob(filepath.Join(picsDir, "*.svg"))
	require.NoError(t, err)
	require.Len(t, there, len(pictures()), "a picture that nothing draws")
	sets, err := filepath.Glob(filepath.Join(samplesDir, "*.json"))
	require.NoError(t, err)
	used := 0
	for _, p := range pictures() {
		used += len(p.sets)
	}
	require.Len(t, sets, used, "a set that no picture shows")
}

// Each time is a dot in its row, and the text says what stands in the set.
func TestStripShowsEachTime(t *testing.T) {
	set := samples.New("make bench", "from here to there", "Kubernetes v9")
	set.Add("hotseat", []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 400 * time.Millisecond})
	set.Add("client-go", []time.Duration{2 * time.Second})
	svg, err := strip{axis: logarithmic}.draw("Title", []samples.Set{set})
	require.NoError(t, err)
	texts := textsOf(t, svg)
	for _, want := range []string{
		"Title", "hotseat", "3 times, half within 20 ms, all within 400 ms", "client-go", "1 times, half within 2 s, all within 2 s",
		"from here to there.", "Written by make bench, " + set.Date + ": " + set.Versions,
	} {
		require.Contains(t, texts, want)
	}
	require.Equal(t, 3, strings.Count(string(svg), "fill:var(--ours)"))
	require.Equal(t, 1, strings.Count(string(svg), "fill:var(--theirs)"))
}

// Both themes have a color for each shade, and no color is left that has only one.
func TestBothThemes(t *testing.T) {
	set := samples.New("make bench", "from here to there", "")
	set.Add("hotseat", []time.Duration{time.Second})
	svg, err := strip{}.draw("Title", []samples.Set{set})
	require.NoError(t, err)
	styles, drawing, ok := strings.Cut(string(svg), "</style>")
	require.True(t, ok)
	require.NotRegexp(t, `#[0-9A-Fa-f]{6}`, drawing)
	for _, s := range shades() {
		require.Contains(t, styles, s.variable+":"+s.light)
		require.Contains(t, styles, s.variable+":"+s.dark)
	}
}

// A curve is the share of what is longer.
func TestLonger(t *testing.T) {
	points := longer([]float64{0, .5, 1, 90.5})
	require.Len(t, points, most+1)
	for x, want := range map[int]float64{0: 75, 1: 25, 90: 25, 91: 0} {
		require.InDelta(t, x, points[x].X, 0)
		require.InDelta(t, want, points[x].Y, 1e-9)
	}
}

func TestScatterKeepsEachTime(t *testing.T) {
	points := scatter([]float64{3, 1, 2}, 5)
	require.Len(t, points, 3)
	for i, want := range []float64{3, 1, 2} {
		require.Equal(t, want, points[i].X)
		require.InDelta(t, 5, points[i].Y, .25)
	}
}

func TestQuantile(t *testing.T) {
	sorted := []float64{1, 2, 3, 4}
	for q, want := range map[float64]float64{0: 1, .5: 2, .51: 3, 1: 4} {
		require.InDelta(t, want, quantile(sorted, q), 0)
	}
}

func TestPictureWithoutItsSet(t *testing.T) {
	require.ErrorIs(t, drawAll(t.TempDir(), t.TempDir()), os.ErrNotExist)
}

// textsOf returns what stands in the picture, which must be XML.
func textsOf(t *testing.T, svg []byte) (texts []string) {
	t.Helper()
	for tokens := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok {
			texts = append(texts, strings.TrimSpace(string(text)))
		}
	}
}
