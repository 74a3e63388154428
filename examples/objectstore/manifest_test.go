package objectstore

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzDecode: what is taken has a valid mark of the scope and an id, and survives being written again.
func FuzzDecode(f *testing.F) {
	const token = "shop/invoicer@42.9f86d081884c7d659a2feaa0c55ad015"
	for _, seed := range []string{
		`{"token":"` + token + `","write":"A","objects":{"report":"data/1"}}`, `{"token":"` + token + `","write":"A"}`,
		`{"token":"` + token + `","write":""}`, `{"write":"A"}`, `{"token":null,"write":"A"}`, `{"token":42,"write":"A"}`,
		`{"token":"shop/invoicer@042.9f86d081884c7d659a2feaa0c55ad015","write":"A"}`, `{"token":"shop/other@42.9f86d081884c7d659a2feaa0c55ad015","write":"A"}`,
		``, `null`, `[]`, `{}`, `{"token":"` + token + `","write":"A"} {}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data, "shop/invoicer")
		if err != nil {
			require.Zero(t, m)
			return
		}
		require.NoError(t, m.Token.Validate())
		require.Equal(t, "shop/invoicer", m.Token.Scope)
		require.NotEmpty(t, m.Write)
		again, err := json.Marshal(m)
		require.NoError(t, err)
		second, err := decode(again, "shop/invoicer")
		require.NoError(t, err)
		require.Equal(t, m.Token, second.Token)
		require.Equal(t, m.Write, second.Write)
		require.Len(t, second.Objects, len(m.Objects))
	})
}

func TestDecodeRefusesWhatHasNoMark(t *testing.T) {
	for _, text := range []string{``, `null`, `{}`, `{"write":"A"}`, `{"token":null,"write":"A"}`} {
		_, err := decode([]byte(text), "shop/invoicer")
		require.Error(t, err, text)
	}
}
