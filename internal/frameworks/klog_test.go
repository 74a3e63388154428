package frameworks

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
)

// hotseat's lines come out where klog's do, at the severity and from the line that they have.
func TestSlogGoesThroughKlog(t *testing.T) {
	defer klog.ClearLogger()
	var out bytes.Buffer
	klog.SetLogger(textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&out))))
	logger := slog.New(logr.ToSlogHandler(klog.Background()))
	logger.Info("acquired", "lease", "invoicer")
	logger.Error("term over", "cause", "lost")
	require.Regexp(t, `^I\d{4} \S+ +\d+ klog_test.go:\d+\] "acquired" lease="invoicer"
E\d{4} \S+ +\d+ klog_test.go:\d+\] "term over" cause="lost"
$`, out.String())
}
