package filestore

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// sealed adds a right checksum to any lines.
func sealed(lines string) []byte {
	return fmt.Appendf([]byte(lines), "sha256 %x\n", sha256.Sum256([]byte(lines)))
}

// What is on disks must be readable by later versions.
func TestFormat(t *testing.T) {
	mark := fencing.Token{Scope: "shop/invoicer", Epoch: 42, Term: "9f86d081884c7d659a2feaa0c55ad015"}
	text := "hotseat fencing mark 1\nshop/invoicer@42.9f86d081884c7d659a2feaa0c55ad015\n" +
		"sha256 4d94ed50f6e9c65322deaa565be811023b46fad01784c324f808e70c7e9c695d\n"
	require.Equal(t, text, string(encode(mark)))
	require.Equal(t, "cdfe8abb4c22ee35df97d430e05b448c28886b081404098a7d5e5b0e6ca6fafa.mark", fileName("shop/invoicer"))
	got, err := decode([]byte(text), "shop/invoicer")
	require.NoError(t, err)
	require.Equal(t, mark, got)

	longest := fencing.Token{Scope: strings.Repeat("n", 317), Epoch: math.MaxInt64, Term: mark.Term}
	require.NoError(t, longest.Validate())
	require.Less(t, len(encode(longest)), maxSize)
}

func TestDecodeSeesEachBit(t *testing.T) {
	good := encode(guardtest.Token(5, 0))
	refused := func(data []byte) {
		_, err := decode(data, guardtest.Scope)
		require.ErrorIs(t, err, errForeign, "%q", data)
	}
	for n := range good {
		refused(good[:n])
		for bit := range 8 {
			flipped := bytes.Clone(good)
			flipped[n] ^= 1 << bit
			refused(flipped)
		}
	}
}

func FuzzDecode(f *testing.F) {
	good := string(encode(guardtest.Token(5, 0)))
	for _, seed := range []string{
		good, good[:len(good)-1], good + "\n", "", "\n\n", magic + "\n\n", magic, "a\nb\nc",
		string(sealed(magic + "\nnone\n")), string(sealed(magic + "\nshop/invoicer@-1." + strings.Repeat("0", 32) + "\n")),
		string(sealed(magic + "\nshop/invoicer@05." + strings.Repeat("0", 32) + "\n")),
	} {
		f.Add(seed, guardtest.Scope)
	}
	f.Fuzz(func(t *testing.T, text, scope string) {
		mark, err := decode([]byte(text), scope)
		if err != nil {
			require.ErrorIs(t, err, errForeign)
			require.Zero(t, mark)
			return
		}
		require.NoError(t, mark.Validate())
		require.Equal(t, scope, mark.Scope)
		require.Equal(t, text, string(encode(mark)), "no two texts mean one mark")
	})
}
