// Package monitoring reads the component monitoring of examples/deploy. Its tests check the alerts one
// by one, the dashboard, the runbooks and the metrics, with Prometheus' own tools.
package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// folder is the component.
const folder = "../../examples/deploy/components/monitoring"

// rule is an alert of the component.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// readRules returns the alerts of the component.
func readRules() ([]rule, error) {
	text, err := os.ReadFile(filepath.Join(folder, "rules.yaml"))
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
func ruleFile(rules []rule) ([]byte, error) {
	type group struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	}
	return json.MarshalIndent(map[string][]group{"groups": {{"hotseat", rules}}}, "", " ")
}

// dashboard is what is used of Grafana's format.
type dashboard struct {
	SchemaVersion   int    `json:"schemaVersion"`
	UID, Title      string `json:",omitempty"`
	Description     string
	ID              *int
	Panels          []panel
	Templating      struct{ List []variable }
	Refresh         string
	TimeSettings    map[string]string `json:"time"`
	TimezoneSetting string            `json:"timezone"`
}

type variable struct {
	Name, Type string
	Query      any
	Datasource *source
}

type source struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               *source
	GridPos                  struct{ H, W, X, Y int }
	FieldConfig              struct {
		Defaults struct{ Unit string }
	}
	Targets []target
}

type target struct {
	RefID, Expr, LegendFormat string
	Datasource                *source
	Instant                   bool
}

func readDashboard() (d dashboard, err error) {
	text, err := os.ReadFile(filepath.Join(folder, "dashboard.json"))
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("dashboard.json: %w", err)
	}
	return d, nil
}

// query is a target's expression with what Grafana puts in for its variables.
func (t target) query(rate string) string {
	return strings.NewReplacer("$namespace", "shop", "$lease", "invoicer", "$__rate_interval", rate).Replace(t.Expr)
}
