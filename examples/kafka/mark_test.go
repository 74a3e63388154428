package kafka

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// FuzzParseMark: what is taken as a mark is a valid token of the scope, in its one text form.
func FuzzParseMark(f *testing.F) {
	for _, seed := range []string{
		"shop/invoicer@42.9f86d081884c7d659a2feaa0c55ad015", "shop/other@42.9f86d081884c7d659a2feaa0c55ad015",
		"shop/invoicer@042.9f86d081884c7d659a2feaa0c55ad015", "", "none",
	} {
		f.Add([]byte(seed))
	}
	w, err := New(Config{Scope: fencing.Scope("shop", "invoicer"), MarkTopic: "mark"})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text []byte) {
		mark, err := w.parse(text)
		if err != nil {
			require.Zero(t, mark)
			return
		}
		require.NoError(t, fencing.OwnToken(mark, fencing.Scope("shop", "invoicer")))
		require.Equal(t, string(text), mark.String())
	})
}
