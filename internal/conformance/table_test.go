package conformance

import (
	"os"
	"strings"
	"testing"
)

// TestTableIsFresh fails when a script was added or changed without docs/conformance.md.
func TestTableIsFresh(t *testing.T) {
	scripts, err := ReadDir("../../gopoll/testdata/conformance")
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	if strings.ReplaceAll(string(have), "\r\n", "\n") != Table(scripts) {
		t.Error("docs/conformance.md is stale: go run ./internal/conformance/table")
	}
	titles := map[string]string{}
	for _, s := range scripts {
		if other := titles[s.Title]; other != "" {
			t.Errorf("%s and %s show the same behaviour: %s", other, s.Name, s.Title)
		}
		titles[s.Title] = s.Name
		if !strings.HasSuffix(s.Title, ".") {
			t.Errorf("%s: the first comment is one sentence: %s", s.Name, s.Title)
		}
		if strings.Contains(s.Title, "|") {
			t.Errorf("%s: a title with | breaks the table", s.Name)
		}
	}
}

// TestTableCells shows what a cell says for scripts with marks.
func TestTableCells(t *testing.T) {
	for _, tt := range []struct{ script, epoll, kqueue, iocp string }{
		{"# T.\nwait none\n", "kernel", "double", "Wine"},
		{"# T.\nskip [windows: why]\nwait none\n", "kernel", "double", "windows: why"},
		{"# T.\nskip [wine: why]\nwait none\n", "kernel", "double", "compiled"},
		{"# T.\nskip [double: why]\nwait none\n", "kernel", "compiled", "Wine"},
		{"# T.\n[iocp: why] wake\n[iocp: why] wait woken\nwait none\n", "kernel*", "double*", "Wine"},
		{"# T.\npair a b\nadd a 7 readable level\nwait\n  [!kqueue: why] ? a 7 readable\n", "kernel", "double*", "Wine"},
	} {
		s, err := Parse("s.txt", tt.script)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range columns() {
			want := map[string]string{"epoll": tt.epoll, "kqueue": tt.kqueue, "iocp": tt.iocp}[c.run.Backend]
			c.proof = map[string]string{"epoll": proofKernel, "kqueue": proofDouble, "iocp": proofWine}[c.run.Backend]
			proof, reason := c.cell(s)
			if got := proof + reason; got != want {
				t.Errorf("%q, %s: %q, want %q", tt.script, c.head, got, want)
			}
		}
	}
}
