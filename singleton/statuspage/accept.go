package statuspage

import (
	"mime"
	"strconv"
	"strings"
)

const (
	typeHTML   = "text/html"
	typeJSON   = "application/json"
	typeEvents = "text/event-stream"
)

// wanted returns the type of answer that an Accept header prefers. Whoever does not care gets JSON.
func wanted(accept string) string {
	best, most := typeJSON, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil || kind != typeHTML && kind != typeJSON && kind != typeEvents {
			continue
		}
		quality, err := strconv.ParseFloat(params["q"], 64)
		if params["q"] == "" {
			quality, err = 1, nil
		}
		if err == nil && quality > most {
			best, most = kind, quality
		}
	}
	return best
}
