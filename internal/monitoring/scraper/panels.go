package scraper

import (
	"context"
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/internal/monitoring"
)

// Shown is a panel with what each of its queries returned.
type Shown struct {
	monitoring.Panel
	Queries [][]Series
}

// Panels asks for what a dashboard shows. An empty query is in missing, with its panel.
func (p *Prometheus) Panels(
	ctx context.Context, d monitoring.Dashboard, from, to time.Time,
) (all []Shown, missing []error, err error) {
	for _, panel := range d.Panels {
		if panel.Type == "row" {
			continue
		}
		s := Shown{Panel: panel}
		for _, t := range panel.Targets {
			result, err := p.Between(ctx, t.Query("10s"), from, to)
			if err != nil {
				return nil, nil, fmt.Errorf("panel %q: %w", panel.Title, err)
			}
			if len(result) == 0 {
				missing = append(missing, fmt.Errorf("panel %q: no data for %s", panel.Title, t.Expr))
			}
			s.Queries = append(s.Queries, result)
		}
		all = append(all, s)
	}
	return all, missing, nil
}
