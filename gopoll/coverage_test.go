//go:build gopoll_coverage

package gopoll

import (
	"os"
	"testing"

	"gopoll.dev/cbind"
)

// TestMain writes the counts of the shims when all tests have run.
func TestMain(m *testing.M) {
	code := m.Run()
	cbind.DumpCoverage()
	os.Exit(code)
}
