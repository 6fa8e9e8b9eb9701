package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.html": "a", "sub/index.html": "b", ".hidden": "c", ".git/config": "d", "x": "\x00\x01"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	linked := os.Symlink(filepath.Join(dir, "x"), filepath.Join(dir, "link")) == nil
	s, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(s) != 4 || s["/a.html"] == nil || s["/sub/"] != s["/sub/index.html"] || s["/x"] == nil || s["/link"] != nil && linked {
		t.Errorf("%v", s)
	}
	if kind := s["/x"].kind; kind != "application/octet-stream" {
		t.Errorf("x is %s", kind)
	}
	if _, err := load(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there is no error")
	}
}

// Whatever is sent, the answer is a response that net/http understands.
func FuzzDecide(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte("HEAD /a.txt HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("GET * HTTP/1.1\nhost:x\n\n"))
	pages := testSite()
	s := &server{reader: bufio.NewReader(nil)}
	f.Fuzz(func(t *testing.T, in []byte) {
		end := headEnd(in)
		if end < 0 {
			return
		}
		if headEnd(in[:end]) != end || headEnd(in[:end-1]) >= 0 {
			t.Fatalf("the end of %q is not %d", in, end)
		}
		a := pages.decide(in[:end], s.parse)
		out, body := a.write(nil, "now")
		method := "GET"
		if a.head {
			method = "HEAD"
		}
		res, err := http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(out), bytes.NewReader(body))), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || !bytes.Equal(got, body) || a.skip < 0 {
			t.Fatalf("%q, %v", got, err)
		}
	})
}
