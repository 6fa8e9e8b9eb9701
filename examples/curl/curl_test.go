//go:build curl && cgo

package main

import (
	"bytes"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// Files of a local server, fetched at one time: each answer is held back until
// all requests have come, so that none can be behind another.
func TestParallel(t *testing.T) {
	const count = 40
	random := rand.NewChaCha8([32]byte{1})
	files := make([][]byte, count)
	for i := range files {
		files[i] = make([]byte, i*i*1000)
		random.Read(files[i])
	}
	var together sync.WaitGroup
	together.Add(count)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		together.Done()
		together.Wait()
		i, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil {
			t.Error(err)
			return
		}
		for part := files[i]; len(part) > 0; part = part[min(len(part), 50000):] {
			w.Write(part[:min(len(part), 50000)])
			w.(http.Flusher).Flush()
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	var all []transfer
	for i := range count {
		name := strconv.Itoa(i)
		all = append(all, transfer{url: server.URL + "/" + name, file: filepath.Join(dir, name)})
	}
	if err := fetch(all); err != nil {
		t.Fatal(err)
	}
	for i, tr := range all {
		got, err := os.ReadFile(tr.file)
		if tr.err != nil || err != nil || !bytes.Equal(got, files[i]) {
			t.Errorf("file %d: %d of %d bytes, %v, %v", i, len(got), len(files[i]), tr.err, err)
		}
	}
}

// What fails does so by itself.
func TestFailures(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/none":
			http.NotFound(w, r)
		case "/broken":
			w.Header().Set("Content-Length", "10")
			w.Write([]byte("short"))
		case "/moved":
			http.Redirect(w, r, "/good", http.StatusFound)
		default:
			w.Write([]byte("good"))
		}
	}))
	defer server.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	dir := t.TempDir()
	urls := []string{server.URL + "/good", server.URL + "/none", server.URL + "/broken", "http://" + closed.Addr().String(), server.URL + "/moved", "nothing://x"}
	var all []transfer
	for i, url := range urls {
		all = append(all, transfer{url: url, file: filepath.Join(dir, strconv.Itoa(i))})
	}
	if err := fetch(all); err != nil {
		t.Fatal(err)
	}
	for i, good := range []bool{true, false, false, false, true, false} {
		if got := all[i].err == nil; got != good {
			t.Errorf("%s: %v", urls[i], all[i].err)
		}
	}
	if err := fetch(nil); err != nil {
		t.Error("nothing to fetch:", err)
	}
	if err := fetch([]transfer{{url: server.URL, file: filepath.Join(dir, "none", "x")}}); err == nil {
		t.Error("a file that can't be made is no error")
	}
}
