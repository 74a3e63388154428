package scraper

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

func (p *Prometheus) get(ctx context.Context, path string, query url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("prometheus: %s: %s", path, answer.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

func (p *Prometheus) ready(ctx context.Context) error { return p.get(ctx, "/-/ready", nil, nil) }

// Series is what a query returned over a time, without NaN.
type Series struct {
	Labels map[string]string
	Points []Point
}

// Point is one value.
type Point struct {
	At    time.Time
	Value float64
}

// Between asks for a query's values, one each second.
func (p *Prometheus) Between(ctx context.Context, expr string, from, to time.Time) ([]Series, error) {
	seconds := func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	err := p.get(ctx, "/api/v1/query_range", url.Values{
		"query": {expr}, "start": {seconds(from)}, "end": {seconds(to)}, "step": {"1"},
	}, &answer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	var all []Series
	for _, r := range answer.Data.Result {
		s := Series{Labels: r.Metric}
		for _, v := range r.Values {
			at, isNumber := v[0].(float64)
			text, isText := v[1].(string)
			value, err := strconv.ParseFloat(text, 64)
			if !isNumber || !isText || err != nil {
				return nil, fmt.Errorf("%s: prometheus returned %v", expr, v)
			}
			if !math.IsNaN(value) && !math.IsInf(value, 0) {
				s.Points = append(s.Points, Point{time.UnixMilli(int64(at * 1000)), value})
			}
		}
		if len(s.Points) > 0 {
			all = append(all, s)
		}
	}
	return all, nil
}

// Fired are the alerts that fired at some time.
func (p *Prometheus) Fired(ctx context.Context, from, to time.Time) (names []string, err error) {
	all, err := p.Between(ctx, `count by (alertname) (ALERTS{alertstate="firing"})`, from, to)
	for _, s := range all {
		names = append(names, s.Labels["alertname"])
	}
	slices.Sort(names)
	return names, err
}

// Quiet reports whether no alert fires or is about to, and no term began or ended for as long as an
// alert looks back.
func (p *Prometheus) Quiet(ctx context.Context) (bool, error) {
	now := time.Now()
	const busy = `count(ALERTS) or count(sum(changes(hotseat_active_since_timestamp_seconds[75s])) > 2)` +
		` or count(sum(hotseat_active) != 1)`
	all, err := p.Between(ctx, busy, now.Add(-time.Second), now)
	return len(all) == 0, err
}
