package guards

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/hotseat-go/hotseat/internal/services"
)

// shared is a server that many tests use, each with tables of its own: it takes
// longer to begin than most tests do.
type shared struct {
	begin func(context.Context, ...string) (*services.Server, error)
	once  sync.Once
	s     *services.Server
	err   error
}

var (
	sharedPostgres = shared{begin: services.StartPostgres}
	sharedMariaDB  = shared{begin: services.StartMariaDB}
)

func (s *shared) server(tb testing.TB) *services.Server {
	tb.Helper()
	s.once.Do(func() { s.s, s.err = s.begin(context.Background()) }) //nolint:usetesting // it outlives the test that needs it first
	services.Need(tb, s.err)
	return s.s
}

func (s *shared) close() {
	if s.s != nil {
		s.s.Close()
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	sharedPostgres.close()
	sharedMariaDB.close()
	os.Exit(code) //nolint:forbidigo // a test's main
}
