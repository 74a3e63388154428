package kubefence

import (
	"fmt"
	"slices"
	"strings"

	admission "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The rules in CEL. An epoch is a decimal number without leading zeros. Of two epochs the longer
// one is greater. Of two with the same length, the one that sorts later is greater. int(...) would
// also work, but fails above 2^63-1.

func (p Policy) rules() []admission.NamedRuleWithOperations {
	operations := []admission.OperationType{admission.Create, admission.Update}
	if len(p.Deleters) > 0 {
		operations = append(operations, admission.Delete)
	}
	rules := make([]admission.NamedRuleWithOperations, 0, len(p.Resources))
	for _, r := range p.Resources {
		rule := admission.RuleWithOperations{
			Operations: operations,
			Rule: admission.Rule{
				APIGroups: []string{r.Group}, APIVersions: []string{"*"},
				Resources: []string{r.Resource, r.Resource + "/*"},
			},
		}
		rules = append(rules, admission.NamedRuleWithOperations{RuleWithOperations: rule})
	}
	return rules
}

// variables are four for each token: that of the written object (new), of the stored object (old),
// and of the announcement (top).
func (p Policy) variables() []admission.Variable {
	variables := append(p.token("new", "object"), p.token("old", "oldObject")...)
	if p.Announced != nil {
		variables = append(variables, p.token("top", "params")...)
	}
	return variables
}

// token returns four variables: whether an object has the annotation, its text, whether the text is
// a token of the scope, and the token's epoch ("" if it is none). The scope has no quotes and no
// backslashes.
func (p Policy) token(name, object string) []admission.Variable {
	annotations, text := object+".metadata.annotations", "variables."+name+"Text"
	start := len(p.Scope) + len("@")
	rest, longest := len(".")+termChars, len("9223372036854775807")
	return []admission.Variable{{
		Name: name + "Has",
		Expression: fmt.Sprintf(`%s != null && has(%[1]s.metadata) && has(%s) && %q in %[2]s`,
			object, annotations, Annotation),
	}, {
		Name:       name + "Text",
		Expression: fmt.Sprintf(`variables.%sHas ? %s[%q] : ""`, name, annotations, Annotation),
	}, {
		Name: name + "Good",
		Expression: fmt.Sprintf(`%[1]s.startsWith("%[2]s@") && %[1]s.substring(%[3]d)`+
			`.matches("^[1-9][0-9]{0,%[4]d}[.][0-9a-f]{%[5]d}$")`,
			text, p.Scope, start, longest-1, termChars) +
			fmt.Sprintf(` && (size(%[1]s) < %[2]d`+
				` || %[1]s.substring(%[3]d, %[4]d) <= "9223372036854775807")`,
				text, start+longest+rest, start, start+longest),
	}, {
		Name: name + "Epoch",
		Expression: fmt.Sprintf(`variables.%[1]sGood ? %[2]s.substring(%[3]d, size(%[2]s) - %[4]d) : ""`,
			name, text, start, rest),
	}}
}

const termChars = 32 // of Token.Term

func (p Policy) validations() []admission.Validation {
	forbidden := metav1.StatusReasonForbidden
	var validations []admission.Validation
	demand := func(expression, message, explanation string) {
		validations = append(validations, admission.Validation{
			Expression: expression, Message: message, MessageExpression: explanation, Reason: &forbidden,
		})
	}
	const plain = `(!has(request.subResource) || request.subResource == "")`

	demand(`!variables.newHas || variables.newGood`,
		"fencing: malformed token, or one of another scope",
		fmt.Sprintf(`"fencing: not a token of %s: " + variables.newText`, p.Scope))
	demand(`!variables.oldHas || variables.oldGood`,
		"fencing: the object's mark is malformed or of another scope",
		fmt.Sprintf(`"fencing: the object's mark is not a token of %s, repair it first: "`+
			` + variables.oldText`, p.Scope))
	demand(`!variables.oldHas || variables.newHas || object == null`,
		"fencing: the mark must not be removed: "+Annotation, "")
	ordered("old", "the object's mark", demand)
	// The annotations of a Pod's binding end up on the Pod, but admission does not show the Pod.
	demand(plain+` || request.operation != "CREATE" || !variables.newHas`,
		"fencing: a subresource must not be created with the annotation "+Annotation, "")
	if p.Announced != nil {
		demand(`!variables.topHas || variables.topGood`,
			"fencing: the announced mark is malformed or of another scope", "")
		ordered("top", "the announced mark", demand)
	}
	if p.Required {
		demand(`object == null || variables.newHas || !`+plain,
			"fencing: no token: "+Annotation+" is required", "")
	}
	if len(p.Deleters) > 0 {
		deleters := `request.userInfo.username in ` + list(append(clusterDeleters(), p.Deleters...))
		demand(`request.operation != "DELETE" || !variables.oldHas || `+deleters,
			"fencing: this user may not delete an object with a mark", "")
		owners := func(object string) string {
			return strings.ReplaceAll(
				`(has($.metadata.ownerReferences) ? $.metadata.ownerReferences : [])`, "$", object)
		}
		demand(`object == null || !variables.oldHas || `+deleters+
			` || `+owners("object")+` == `+owners("oldObject"),
			"fencing: this user may not change the owners of an object with a mark", "")
	}
	if p.guardsPods() {
		demand(plain+` || !variables.oldHas`+
			` || !(request.subResource in ["resize", "ephemeralcontainers"])`+
			` || request.userInfo.username in `+list(p.Scalers),
			"fencing: this subresource shows no token, and this user may not write it", "")
	}
	if len(p.Scalers) > 0 {
		demand(plain+` || request.subResource != "scale"`+
			` || request.userInfo.username in `+list(p.Scalers),
			"fencing: this user may not scale a guarded object", "")
	}
	return validations
}

func (p Policy) guardsPods() bool {
	return slices.Contains(p.Resources, schema.GroupResource{Resource: "pods"})
}

// ordered demands that the new token is not below the mark, and is not another token of the mark's
// epoch.
func ordered(mark, what string, demand func(expression, message, explanation string)) {
	expand := func(s string) string { return strings.ReplaceAll(s, "$", "variables."+mark) }
	both := fmt.Sprintf(`" + variables.newText + ", %s " + variables.%sText`, what, mark)
	demand(expand(`!variables.newGood || !$Good || size(variables.newEpoch) > size($Epoch)`+
		` || (size(variables.newEpoch) == size($Epoch) && variables.newEpoch >= $Epoch)`),
		"fencing: stale token", `"fencing: stale token: presented `+both)
	demand(expand(`!variables.newGood || !$Good`+
		` || variables.newEpoch != $Epoch || variables.newText == $Text`),
		"fencing: another term has this epoch", `"fencing: another term has this epoch: presented `+both)
}

func list(users []string) string {
	quoted := make([]string, len(users))
	for i, user := range users {
		quoted[i] = `"` + user + `"`
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
