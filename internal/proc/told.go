package proc

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Told is the child's side of [Options].Tell: it decodes what this process is told. From then on the
// process ends, with exit status 1, as soon as the one that started it is gone.
func Told(v any) error {
	if err := json.NewDecoder(os.Stdin).Decode(v); err != nil {
		return fmt.Errorf("proc: another program has to start this one, and tell it what to do: %w", err)
	}
	go func() { // whoever started us holds the other end: without it nobody would stop us
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	return nil
}
