package main

import (
	"testing"

	"github.com/hotseat-go/hotseat/internal/whole"
)

func TestMain(m *testing.M) { whole.Main(m) }
