package main

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"testing"

	"gopoll.dev/gopoll"
	. "gopoll.dev/internal/exampleserver/exampletest"
)

// The program tries itself, and says what it saw.
func TestProgram(t *testing.T) {
	for _, b := range gopoll.Bindings() {
		t.Run(b.String(), func(t *testing.T) {
			Cap(t)
			var out bytes.Buffer
			Must(t, run(t.Context(), []string{"-binding", b.String(), "-conns", "5", "-duration", "50ms"}, &out, io.Discard))
			for _, row := range []string{`binding +` + b.String(), `connections +5, of which 0`, `bytes +[1-9]`, `system calls per MiB`} {
				if !regexp.MustCompile(`(?m)^` + row).Match(out.Bytes()) {
					t.Errorf("no row %q in\n%s", row, &out)
				}
			}
		})
	}
}

// An interrupt ends the trial early, and it is no error.
func TestProgramStops(t *testing.T) {
	Cap(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	Must(t, run(ctx, []string{"-conns", "2", "-duration", "1h"}, io.Discard, io.Discard))
}

func TestFlags(t *testing.T) {
	Cap(t)
	for _, args := range [][]string{{"-conns", "0"}, {"-size", "-1"}, {"-binding", "none"}, {"-max", "0"}, {"-duration", "-1s"},
		{"-idle", "-1s"}, {"argument"}, {"-unknown"}, {"-listen", ":0"}, {"-to", ":1"}, {"-listen", "nonsense", "-to", "127.0.0.1:1"},
		{"-listen", "127.0.0.1:0", "-to", "nonsense"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
