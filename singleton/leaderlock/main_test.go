package leaderlock_test

import (
	"os"
	"testing"

	"k8s.io/klog/v2"
)

func TestMain(m *testing.M) {
	klog.SetLogger(klog.Logger{}) // client-go's own log says nothing a test asserts
	os.Exit(m.Run())
}
