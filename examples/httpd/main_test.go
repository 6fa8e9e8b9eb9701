package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestArguments(t *testing.T) {
	for _, args := range [][]string{{"-max=0"}, {"-idle=0s"}, {"-binding=none"}, {"more"}, {"-dir=" + filepath.Join(t.TempDir(), "none")}, {"-listen=nowhere"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v is no error", args)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out strings.Builder
	if err := run(ctx, []string{"-listen=127.0.0.1:0"}, &out); err != nil || !strings.HasPrefix(out.String(), "serving 2 files") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
