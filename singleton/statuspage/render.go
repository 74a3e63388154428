package statuspage

import (
	"crypto/sha256"
	_ "embed" // the page's files
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// policy allows what the page has in it and the stream, and nothing else.
func policy() string {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; connect-src 'self'; img-src data:; style-src " + hash(pageCSS) +
		"; script-src " + hash(pageJS) + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// templates are those of the page. They are safe for concurrent use.
func templates() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"css":     func() template.CSS { return template.CSS(pageCSS) },
		"js":      func() template.JS { return template.JS(pageJS) },
		"rfc3339": func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"clock":   clock,
		"name":    nameOf,
		"percent": func(left, full float64) float64 { return 100 * min(1, left/max(full, 0.001)) },
		"tenths":  func(seconds float64) string { return fmt.Sprintf("%.1f", seconds) },
	}).Parse(pageHTML))
}

// parts returns what a stream replaces, by the id of its element.
func (v *view) parts(t *template.Template) (map[string]string, error) {
	parts := map[string]string{}
	for _, id := range []string{
		"title", "name", "headline", "summary", "replicas", "lanes", "terms", "lease", "settings",
	} {
		var out strings.Builder
		if err := t.ExecuteTemplate(&out, id, v); err != nil {
			return nil, fmt.Errorf("statuspage: %w", err)
		}
		parts[id] = out.String()
	}
	return parts, nil
}
