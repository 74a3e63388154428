package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	_ "github.com/go-sql-driver/mysql" // MariaDB and MySQL
	_ "github.com/jackc/pgx/v5/stdlib" // PostgreSQL
	"github.com/redis/go-redis/v9"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/redisfence"
	"github.com/hotseat-go/hotseat/fencing/redisfence/goredis"
	"github.com/hotseat-go/hotseat/fencing/sqlfence"
)

// store is the database behind a guard. Close it.
type store struct {
	name  string // shown to people: never the DSN
	kind  string // PostgreSQL, MariaDB or Redis
	where string // of the mark: a table or a key
	guard interface {
		Mark(context.Context, string) (fencing.Token, error)
	}
	close  func() error
	secret []string // texts that no error may show
}

// open makes the guard that a DSN is for, without a connection. Its errors show nothing of the DSN.
func (f *guardsFlags) open(name, dsn, scope string) (*store, error) {
	before, after, _ := strings.Cut(dsn, "://")
	s := &store{name: name, secret: []string{dsn}}
	if u, err := url.Parse(dsn); err == nil {
		if password, set := u.User.Password(); set {
			s.secret = append(s.secret, password)
		}
	}
	var err error
	switch before {
	case "postgres", "postgresql":
		s.kind = "PostgreSQL"
		err = s.openSQL("pgx", dsn, sqlfence.PostgreSQL, f.table, scope)
	case "mysql", "mariadb":
		s.kind = "MariaDB"
		s.secret = append(s.secret, after)
		if user, _, found := strings.Cut(after, "@"); found {
			if _, password, found := strings.Cut(user, ":"); found {
				s.secret = append(s.secret, password)
			}
		}
		err = s.openSQL("mysql", after, sqlfence.MySQL, f.table, scope)
	case "redis", "rediss", "unix":
		s.kind = "Redis"
		err = s.openRedis(dsn, f.key, scope)
	default:
		return nil, misused("the DSN in $%s must begin with postgres://, mysql:// or redis://", name)
	}
	if err != nil {
		return nil, fmt.Errorf("the DSN in $%s is not understood: %w", name, s.clean(err))
	}
	return s, nil
}

func (s *store) openSQL(driver, dsn string, dialect sqlfence.Dialect, table, scope string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return errors.New("the driver refuses it") // whose error may show the password
	}
	s.where, s.close = table, db.Close
	s.guard, err = sqlfence.New(sqlfence.Config{DB: db, Dialect: dialect, Table: table, Scope: scope})
	return err
}

func (s *store) openRedis(dsn, key, scope string) error {
	options, err := redis.ParseURL(dsn)
	if err != nil {
		return errors.New("the driver refuses it")
	}
	options.MaxRetries = -1
	redis.SetLogger(silent{}) // the error of a command says enough
	client := redis.NewClient(options)
	s.where, s.close = key, client.Close
	s.guard, err = redisfence.New(goredis.Eval(client), redisfence.Config{Scope: scope, Key: key})
	return err
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// clean takes secrets out of an error. Its chain stays, for errors.Is.
func (s *store) clean(err error) error {
	text := err.Error()
	for _, secret := range s.secret {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "xxxxx")
		}
	}
	return &cleanError{text, err}
}

type cleanError struct {
	text string
	err  error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.err }

// isDamaged reports whether a guard's error says that what is stored is no mark. No value tells that,
// but the texts of both guards do.
func isDamaged(err error) bool {
	return strings.Contains(err.Error(), "is damaged: ") || strings.Contains(err.Error(), "cannot be read: ")
}

// byHand are the steps that replace a mark which cannot be raised over, for the term of a token.
func (s *store) byHand(t fencing.Token) []string {
	steps := []string{
		"Stop every replica, and whatever else writes there, such as with kubectl scale --replicas=0. Wait until" +
			" all Pods are gone, also those on nodes that are out of reach.",
	}
	switch {
	case s.kind == "Redis":
		steps = append(steps, fmt.Sprintf("In redis-cli: DEL '%s'", s.where))
	case t.Epoch == 0:
		steps = append(steps, fmt.Sprintf("In SQL: DELETE FROM %s WHERE scope = '%s'", s.where, t.Scope))
	default:
		steps = append(steps, fmt.Sprintf("In SQL: UPDATE %s SET epoch = %d, term = '%s' WHERE scope = '%s'",
			s.where, t.Epoch, t.Term, t.Scope))
	}
	return append(steps, "Start the replicas again.")
}
