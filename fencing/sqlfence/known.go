package sqlfence

import (
	"strings"
)

// Known is what a guard knows of one connection to PostgreSQL: what it has prepared there, and
// whether the database has triggers of [Guard.Triggers]. The zero value knows nothing. Keep it as
// long as the connection, and use it with that connection only. It is not safe for concurrent use.
type Known struct {
	// The plain lock that the session has prepared, for each kind (lock.among). Behind a pooler it may
	// be out of date: others may use the session.
	prepared map[string]*lock

	// Whether the database has triggers, when it was last checked.
	looked, triggers bool

	strict bool // by default the session's level is stricter than READ COMMITTED
}

// RolledBack must be called after a fenced transaction did not commit. The guard then looks for
// triggers again: some that were created after it last looked may have refused the transaction.
func (k *Known) RolledBack() { k.looked = false }

func (k *Known) keep(l *lock) {
	if k.prepared == nil {
		k.prepared = map[string]*lock{}
	}
	k.prepared[l.among] = l
}

// hasTriggers looks once, and again after a transaction was rolled back.
func (k *Known) hasTriggers(exec func(statement string) (rows int64, err error)) bool {
	if k.looked {
		return k.triggers
	}
	rows, err := exec("SELECT FROM pg_trigger WHERE tgname = '" + postgresTrigger + "' LIMIT 1")
	k.looked, k.triggers = err == nil, err != nil || rows > 0
	return k.triggers
}

// plainWays replaces what is prepared for another term.
func (k *Known) plainWays(l *lock) []string {
	last := k.prepared[l.among]
	if last == nil || last.token == l.token {
		return l.plain
	}
	delete(k.prepared, l.among)
	return []string{last.replace + l.plain[1], l.plain[2]}
}

// endsTransactions is true for every statement that ends a transaction, and for some others.
func endsTransactions(query string) bool {
	for i := range len(query) {
		var word string
		switch query[i] | 0x20 { // in lower case
		case 'a':
			word = "abort"
		case 'c':
			word = "commit"
		case 'e':
			word = "end"
		case 'p':
			word = "prepare"
		case 'r':
			word = "rollback"
		default:
			continue
		}
		if len(query)-i >= len(word) && strings.EqualFold(query[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
