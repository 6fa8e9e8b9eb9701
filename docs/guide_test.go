// Package guide has the code of guide.md, so that it is compiled and run.
package guide

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every piece of Go in the guide is a part of a file beside it.
func TestGuide(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.WriteString(plain(string(text)))
	}
	guide, err := os.ReadFile("guide.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(guide), -1)
	if len(found) < 10 {
		t.Errorf("only %d pieces of Go", len(found))
	}
	for _, piece := range found {
		if !strings.Contains(code.String(), plain(piece[1])) {
			t.Errorf("not in any file:\n%s", piece[1])
		}
	}
}

// plain is text without its indentation and the line ends of Windows.
func plain(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.TrimSpace(line))
		out.WriteByte('\n')
	}
	return out.String()
}

// Every file that the guide and its neighbours link to is there.
func TestLinks(t *testing.T) {
	for _, name := range []string{"guide.md", "../README.md", "../SECURITY.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), link[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, link[1], err)
			}
		}
	}
}
