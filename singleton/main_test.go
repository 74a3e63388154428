package singleton_test

import (
	"testing"

	"k8s.io/klog/v2"

	"github.com/hotseat-go/hotseat/internal/whole"
)

func TestMain(m *testing.M) {
	klog.SetLogger(klog.Logger{}) // client-go's own log says nothing a test asserts
	whole.Main(m)
}
