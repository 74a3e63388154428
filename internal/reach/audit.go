package reach

import (
	"errors"
	"fmt"
	"time"
)

// Audit says whether two replicas answered at once. A term has one replica, and whoever asks after
// one term has answered gets no answer of an earlier one. All targets count as one client: two of
// them may not reach two replicas either.
func Audit(answers []Answer) error {
	var wrong []error
	names := map[int64]string{}
	for _, a := range answers {
		if !a.ok() {
			continue
		}
		if other := names[a.Epoch]; other != "" && other != a.Name {
			wrong = append(wrong, fmt.Errorf("epoch %d: %s and %s answer", a.Epoch, other, a.Name))
		}
		names[a.Epoch] = a.Name
	}
	byAnswer := byTime(answers, func(a Answer) time.Time { return a.Got })
	bySending := byTime(answers, func(a Answer) time.Time { return a.Sent })
	latest, i := Answer{}, 0
	for _, a := range bySending {
		for ; byAnswer[i].Got.Before(a.Sent); i++ {
			if byAnswer[i].Epoch > latest.Epoch {
				latest = byAnswer[i]
			}
		}
		if a.ok() && a.Epoch < latest.Epoch {
			wrong = append(wrong, fmt.Errorf("%s answers for epoch %d, %v after %s did for %d",
				a.Name, a.Epoch, a.Sent.Sub(latest.Got), latest.Name, latest.Epoch))
		}
	}
	return errors.Join(wrong...)
}
