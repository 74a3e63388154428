package sqlfence

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

func TestDecode(t *testing.T) {
	const term = "9f86d081884c7d659a2feaa0c55ad015"
	for _, epoch := range []any{int64(7), "7", []byte("7")} {
		mark, err := decode("s", epoch, term)
		require.NoError(t, err)
		require.Equal(t, fencing.Token{Scope: "s", Epoch: 7, Term: term}, mark)
	}
	for _, epoch := range []any{
		nil, int64(0), int64(-1), int64(math.MinInt64), 7.0, true, time.Time{}, "", "07", "+7", "7.0", " 7", "1e3", "9223372036854775808",
	} {
		mark, err := decode("s", epoch, term)
		require.ErrorIs(t, err, fencing.ErrUnavailable, "%v", epoch)
		require.NotErrorIs(t, err, fencing.ErrMalformed, "it is not the caller's mistake")
		require.Zero(t, mark)
	}
	_, err := decode("s", int64(7), "")
	require.ErrorIs(t, err, fencing.ErrUnavailable)
}

// FuzzDecode: what decodes is a valid token of the scope, and stored again is the same.
func FuzzDecode(f *testing.F) {
	f.Add("s", "7", "9f86d081884c7d659a2feaa0c55ad015")
	f.Add("s", "9223372036854775808", "9f86d081884c7d659a2feaa0c55ad015")
	f.Add("s", "07", "")
	f.Add("s", "7.0", "9f86d081884c7d659a2feaa0c55ad015.7")
	f.Add("a@1", "7", "9f86d081884c7d659a2feaa0c55ad015")
	f.Fuzz(func(t *testing.T, scope, epoch, term string) {
		mark, err := decode(scope, []byte(epoch), term)
		if err != nil {
			require.ErrorIs(t, err, fencing.ErrUnavailable)
			return
		}
		require.NoError(t, mark.Validate())
		require.Equal(t, []string{scope, epoch, term}, []string{mark.Scope, strconv.FormatInt(mark.Epoch, 10), mark.Term})
	})
}
