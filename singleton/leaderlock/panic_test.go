package leaderlock_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// panicError takes its time when the runtime prints it. Other goroutines run on meanwhile.
type panicError struct{ holder func() string }

func (p panicError) Error() string {
	for range 100 {
		if p.holder() == "" {
			return "the Lease was released"
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "the Lease was kept"
}

// If client-go's side panics, the Lease is kept to the end of the process: what it has begun works
// on until then.
func TestPanicKeepsTheLease(t *testing.T) {
	const child = "HOTSEAT_TEST_PANIC"
	if of := os.Getenv(child); of != "" {
		panicking(t, of)
		return
	}
	for _, of := range []string{"start", "OnStartedLeading"} {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPanicKeepsTheLease$")
		command.Env = append(os.Environ(), child+"="+of)
		text, err := command.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(text), "the Lease was kept", of)
	}
}

func panicking(t *testing.T, of string) {
	c := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	lock := lab{t, c}.lock("a")
	fail := func() {
		panic(panicError{func() string { return lab{t, c}.holder() }})
	}
	ctx, stop := context.WithCancel(t.Context())
	if of == "start" {
		_ = lock.Run(ctx, func(ctx context.Context) error {
			_, _, _ = lock.Get(ctx) // it is active
			fail()
			return nil
		})
	}
	_ = lock.RunElector(ctx, electionConfig(defaults(), func(context.Context) {
		stop()
		time.Sleep(second / 5) // client-go's elector has returned
		fail()
	}, nil))
}
