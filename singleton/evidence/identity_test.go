package evidence

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	idA = "containerd://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	idB = "containerd://bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// holder is the identity that most tests are about.
func holder() identity {
	return identity{pod: "invoicer-0", uid: "uid-0", container: "invoicer", alive: at(10), id: idA}
}

// at is that many seconds into the tests' time.
func at(seconds float64) time.Time {
	return time.Unix(1700000000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

func TestIdentityIsRead(t *testing.T) {
	text := holder().String()
	require.Equal(t, "pod/1 invoicer-0 uid-0 invoicer 1700000010 "+idA, text)
	i, err := parse(text)
	require.NoError(t, err)
	require.Equal(t, holder(), i)

	longest := identity{
		pod: strings.Repeat("a", 253), uid: strings.Repeat("b", maxUID), container: strings.Repeat("c", 63),
		alive: time.Unix(1<<62, 0), id: "containerd://" + strings.Repeat("d", 192),
	}
	i, err = parse(longest.String())
	require.NoError(t, err)
	require.Equal(t, longest, i)
}

func TestIdentityOfSomebodyElsesIsRefused(t *testing.T) {
	good := holder().String()
	for name, text := range map[string]string{
		"empty":             "",
		"another version":   strings.Replace(good, "pod/1", "pod/2", 1),
		"a field missing":   strings.Replace(good, " invoicer ", " ", 1),
		"a field more":      good + " x",
		"two spaces":        strings.Replace(good, " uid-0", "  uid-0", 1),
		"a line break":      good + "\n",
		"no Pod's name":     strings.Replace(good, "invoicer-0", "../secrets", 1),
		"a query":           strings.Replace(good, "invoicer-0", "x?watch=1", 1),
		"no UID":            strings.Replace(good, "uid-0", "uid_0", 1),
		"no container name": strings.Replace(good, " invoicer ", " In ", 1),
		"no time":           strings.Replace(good, "1700000010", "soon", 1),
		"time zero":         strings.Replace(good, "1700000010", "0", 1),
		"an early time":     strings.Replace(good, "1700000010", "-5", 1),
		"a time with zeros": strings.Replace(good, "1700000010", "01700000010", 1),
		"no runtime":        strings.Replace(good, "containerd://", "", 1),
		"no id":             strings.Replace(good, idA, "containerd://", 1),
		"a short id":        strings.Replace(good, idA, "containerd://abc", 1),
		"long":              strings.Replace(good, idA, "containerd://"+strings.Repeat("a", 800), 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(text)
			require.ErrorIs(t, err, ErrIdentity)
			require.Less(t, len(err.Error()), 300, "it does not repeat all that somebody wrote")
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(holder().String())
	f.Add("pod/1 a b c 1 docker://0123456789ab")
	f.Add("pod/1 a b c 18446744073709551617 cri-o://0123456789ab")
	f.Fuzz(func(t *testing.T, text string) {
		i, err := parse(text)
		if err != nil {
			require.ErrorIs(t, err, ErrIdentity)
			return
		}
		require.Equal(t, text, i.String(), "there is one way to write it")
		require.LessOrEqual(t, len(text), maxIdentity)
		require.NotContains(t, i.pod, "/")
		require.Positive(t, i.alive.Unix())
	})
}
