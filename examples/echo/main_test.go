package main

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"testing"
	"time"

	"gopoll.dev/gopoll"
	. "gopoll.dev/internal/exampleserver/exampletest"
)

// The program drives itself in every mode, and says what it saw.
func TestProgram(t *testing.T) {
	for _, b := range gopoll.Bindings() {
		for _, args := range [][]string{{"-mode", "level"}, {"-mode", "edge", "-size", "300000"}, {"-mode", "oneshot"}, {"-lend", "-size", "9999"}} {
			t.Run(b.String()+"/"+args[1], func(t *testing.T) {
				Cap(t)
				var out bytes.Buffer
				args = append(args, "-binding", b.String(), "-conns", "20", "-duration", "50ms")
				Must(t, run(t.Context(), args, &out, io.Discard))
				for _, row := range []string{`binding +` + b.String(), `connections +20\b`, `messages +[1-9]`, `latency`, `system calls`, `idle`} {
					if !regexp.MustCompile(`(?m)^.*` + row).Match(out.Bytes()) {
						t.Errorf("no row %q in\n%s", row, &out)
					}
				}
			})
		}
	}
}

// An interrupt ends the load early, and it is no error.
func TestProgramStops(t *testing.T) {
	Cap(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	Must(t, run(ctx, []string{"-conns", "2", "-duration", "1h"}, io.Discard, io.Discard))
}

func TestFlags(t *testing.T) {
	Cap(t)
	for _, args := range [][]string{{"-conns", "0"}, {"-size", "-1"}, {"-binding", "none"}, {"-mode", "Mode(7)"}, {"-max", "0"},
		{"-duration", "-1s"}, {"-idle", "-1s"}, {"argument"}, {"-unknown"}, {"-listen", "nonsense"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

// A quantile is at most a bucket, which is 3.2 %, above the truth.
func TestHistogram(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 31, 32, 33, 63, 64, 65, 1000, 4095, 4096, time.Millisecond, time.Hour} {
		var h histogram
		h.add(d)
		if got := h.quantile(0.5); got < d || got > d+d/31 {
			t.Errorf("%d is in the bucket up to %d", d, got)
		}
	}
	var h histogram
	for i := range 1000 {
		h.add(time.Duration(i) * time.Microsecond)
	}
	if got := h.quantile(0.99); got < 990*time.Microsecond || got > 1022*time.Microsecond {
		t.Errorf("the 99th percentile of 0 to 999 µs is %v", got)
	}
}
