//go:build unix

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// audit is what the tables say, and what was seen on the way.
type audit struct {
	invoices, charges, terms, processes int
	refused                             int // charges of frozen replicas that the guard refused
	violations                          []string
}

// read takes the tables apart. Each list of violations should be empty.
func read(ctx context.Context, db *sql.DB) (a audit, err error) {
	count := func(into *int, query string) {
		err = errors.Join(err, db.QueryRowContext(ctx, query).Scan(into))
	}
	count(&a.invoices, "SELECT count(*) FROM invoices")
	count(&a.charges, "SELECT count(*) FROM charges")
	count(&a.terms, "SELECT count(DISTINCT epoch) FROM charges")
	count(&a.processes, "SELECT count(DISTINCT pid) FROM charges")
	for what, query := range map[string]string{
		"invoices that were not billed":           "SELECT count(*) FROM invoices i WHERE NOT EXISTS (SELECT FROM charges c WHERE c.invoice = i.id)",
		"invoices billed more than once":          "SELECT count(*) FROM (SELECT invoice FROM charges GROUP BY invoice HAVING count(*) > 1) twice",
		"charges of another amount":               "SELECT count(*) FROM charges c JOIN invoices i ON i.id = c.invoice WHERE i.cents <> c.cents",
		"charges without an invoice":              "SELECT count(*) FROM charges c WHERE NOT EXISTS (SELECT FROM invoices i WHERE i.id = c.invoice)",
		"numbers given twice":                     "SELECT count(*) FROM (SELECT number FROM charges GROUP BY number HAVING count(*) > 1) twice",
		"gaps between numbers":                    "SELECT coalesce(max(number), 0) - count(DISTINCT number) FROM charges",
		"charges of a term after a later term's":  "SELECT count(*) FROM (SELECT epoch, max(epoch) OVER (ORDER BY landed) AS top FROM charges) c WHERE epoch < top",
		"invoices whose state is not the charges": "SELECT count(*) FROM invoices i WHERE billed <> EXISTS (SELECT FROM charges c WHERE c.invoice = i.id)",
	} {
		var n int
		count(&n, query)
		if n != 0 {
			a.violations = append(a.violations, fmt.Sprintf("%s: %d", what, n))
		}
	}
	return a, err
}

func (a audit) String() string {
	s := fmt.Sprintf("Audit: %d invoices, %d charges by %d terms in %d processes; charges of frozen replicas refused: %d",
		a.invoices, a.charges, a.terms, a.processes, a.refused)
	if len(a.violations) == 0 {
		return s + "\n  each invoice was billed exactly once, in numbers without a gap"
	}
	return s + "\n  VIOLATED " + strings.Join(a.violations, "\n  VIOLATED ")
}

func (a audit) verdict() error {
	if len(a.violations) > 0 {
		return errors.New("the audit does not hold")
	}
	return nil
}
