package gopoll_test

import (
	"testing"

	"gopoll.dev/gopoll"
	"gopoll.dev/internal/conformance"
)

// TestConformance runs every script of testdata/conformance with every binding of the build. The scripts say what
// the package promises; docs/scripts.md describes their language.
func TestConformance(t *testing.T) {
	scripts, err := conformance.ReadDir("testdata/conformance")
	if err != nil {
		t.Fatal(err)
	}
	for _, binding := range gopoll.Bindings() {
		env, err := conformance.Here(binding)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(env.Backend+"/"+env.Binding, func(t *testing.T) {
			for _, s := range scripts {
				t.Run(s.Name, func(t *testing.T) {
					if m, ok := s.SkippedBy(env); ok {
						t.Skipf("%s: %s", m, m.Reason)
					}
					if err := s.Run(env, binding); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}
