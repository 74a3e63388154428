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
	args  []string
	once  sync.Once
	s     *services.Server
	err   error
}

var (
	// Neither is to survive more than the end of its own process, and the disk is slow.
	sharedPostgres = shared{begin: services.StartPostgres, args: []string{"-c", "fsync=off"}}
	sharedMariaDB  = shared{begin: services.StartMariaDB, args: []string{"--innodb-flush-log-at-trx-commit=2"}}

	sharedAsynchronous = shared{begin: services.StartPostgres, args: []string{"-c", "synchronous_commit=off"}} // fsync is on
)

func (s *shared) server(tb testing.TB) *services.Server {
	tb.Helper()
	s.once.Do(func() { s.s, s.err = s.begin(context.Background(), s.args...) })
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
	sharedAsynchronous.close()
	os.Exit(code)
}
