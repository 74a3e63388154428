package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The server ends a watch after this time, and up to half as much again.
const watchTime = 5 * time.Minute

// Watch shows the object of that name as it is now, if it exists, and each change but its deletion,
// until enough returns true. Then it returns true. It returns false and no error if the server ends
// the watch.
func Watch[T any](
	ctx context.Context, c Client, p Path, enough func(*T) bool,
) (seen bool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("watch %v: %w", p, err)
		}
	}()
	lasts := watchTime + rand.N(watchTime/2) //nolint:gosec // not for secrets
	ctx, cancel := context.WithTimeout(ctx, lasts+c.timeout)
	defer cancel()
	all := p
	all.Name = ""
	// Without a resourceVersion the first event is the object as it is stored now.
	body, err := on(c.rest.Get(), all).Param("watch", "true").
		Param("fieldSelector", "metadata.name="+p.Name).
		Param("timeoutSeconds", strconv.Itoa(int(lasts/time.Second))).Stream(ctx)
	if err != nil {
		return false, err
	}
	defer body.Close()
	for events := json.NewDecoder(body); ; {
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := events.Decode(&event); errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		switch event.Type {
		case "ADDED", "MODIFIED":
			object := new(T)
			if err := json.Unmarshal(event.Object, object); err != nil {
				return false, fmt.Errorf("event: %w", err)
			}
			if enough(object) {
				return true, nil
			}
		case "ERROR":
			status := &metav1.Status{}
			if err := json.Unmarshal(event.Object, status); err != nil {
				return false, fmt.Errorf("event: %w", err)
			}
			return false, apierrors.FromObject(status)
		}
	}
}
