// Package monitoring reads the component monitoring of examples/deploy. Its tests check the alerts one
// by one, the dashboard, the runbooks and the metrics, with Prometheus' own tools.
package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// folder is the component, as seen from this package's.
const folder = "../../examples/deploy/components/monitoring"

// rule is an alert of the component.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// readRules returns the alerts of the component. below is the path to this package's folder.
func readRules(below string) ([]rule, error) {
	text, err := os.ReadFile(filepath.Join(below, folder, "rules.yaml"))
	if err != nil {
		return nil, err
	}
	var object struct {
		Spec struct {
			Groups []struct{ Rules []rule }
		}
	}
	if err := yaml.Unmarshal(text, &object); err != nil {
		return nil, fmt.Errorf("rules.yaml: %w", err)
	}
	if len(object.Spec.Groups) != 1 {
		return nil, fmt.Errorf("rules.yaml has %d groups, must have 1", len(object.Spec.Groups))
	}
	return object.Spec.Groups[0].Rules, nil
}

// ruleFile is a file of rules as Prometheus reads it: JSON is YAML.
func ruleFile(rules []rule) ([]byte, error) { return json.Marshal(fileOf(rules)) }

func fileOf(rules []rule) any {
	return map[string]any{"groups": []any{map[string]any{"name": "hotseat", "rules": rules}}}
}

// FasterRules returns the alerts as a file of rules for Prometheus, with all their times divided by
// factor: `for`, the ranges, and the bound of a drain. So what takes minutes can be shown in seconds.
// below is the path to this package's folder.
func FasterRules(below string, factor int) (any, error) {
	rules, err := readRules(below)
	if err != nil {
		return nil, err
	}
	for i := range rules {
		if err := rules[i].hurry(factor); err != nil {
			return nil, err
		}
	}
	return fileOf(rules), nil
}

func (r *rule) hurry(factor int) (err error) {
	shorten := func(text string) string {
		d, parseErr := time.ParseDuration(text)
		if parseErr != nil {
			err = fmt.Errorf("%s: %w", r.Alert, parseErr)
		}
		return fmt.Sprintf("%dms", (d / time.Duration(factor)).Milliseconds())
	}
	if r.For != "" {
		r.For = shorten(r.For)
	}
	r.Expr = regexp.MustCompile(`\[\w+\]`).ReplaceAllStringFunc(r.Expr, func(s string) string {
		return "[" + shorten(strings.Trim(s, "[]")) + "]"
	})
	r.Expr = regexp.MustCompile(`> 120$`).
		ReplaceAllString(strings.TrimSpace(r.Expr), "> "+strconv.Itoa(120/factor))
	return err
}

// Dashboard is what is used of Grafana's format.
type Dashboard struct {
	SchemaVersion           int
	ID                      *int
	UID, Title, Description string
	Panels                  []Panel
	Templating              struct{ List []variable }
}

type variable struct {
	Name, Type string
	Query      any
	Datasource *source
}

type source struct{ Type, UID string }

// Panel is one of its panels, or the title of a row of them.
type Panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               *source
	GridPos                  struct{ H, W, X, Y int }
	FieldConfig              struct {
		Defaults struct{ Unit string }
	}
	Targets []Target
}

// Target is a query of a panel.
type Target struct {
	RefID, Expr, LegendFormat string
	Datasource                *source
	Instant                   bool
}

// ReadDashboard returns the dashboard of the component. below is the path to this package's folder.
func ReadDashboard(below string) (d Dashboard, err error) {
	text, err := os.ReadFile(filepath.Join(below, folder, "dashboard.json"))
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("dashboard.json: %w", err)
	}
	return d, nil
}

// Query is a target's expression with what Grafana puts in for its variables. rate is a duration.
func (t Target) Query(rate string) string {
	return strings.NewReplacer("$namespace", "shop", "$lease", "invoicer", "$__rate_interval", rate).Replace(t.Expr)
}
