package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"sync"
	"testing"
)

// Requests one behind the other on one connection, sent whole and in pieces.
func TestPipeline(t *testing.T) {
	tag := testSite()["/a.txt"].tag
	requests := "GET /a.txt HTTP/1.1\r\n" + host + "\r\n" +
		"HEAD /big.bin HTTP/1.1\r\n" + host + "\r\n" +
		"GET /a.txt HTTP/1.1\r\n" + host + "If-None-Match: \"x\", W/" + tag + "\r\n\r\n" +
		"GET /big.bin HTTP/1.1\r\n" + host + "\r\n" +
		"GET /a.txt HTTP/1.1\r\n" + host + "Content-Length: 7\r\n\r\nignored" +
		"GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" +
		"GET / HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n"
	want := []struct {
		method string
		status int
		body   []byte
	}{{"GET", 200, []byte("a")}, {"HEAD", 200, nil}, {"GET", 304, nil}, {"GET", 200, big}, {"GET", 200, []byte("a")}, {"GET", 200, []byte("a")}, {"GET", 200, []byte("<p>index")}}
	forEach(t, config{}, func(t *testing.T, address string) {
		for _, size := range []int{len(requests), 1, 7} {
			conn := dial(t, address)
			var sender sync.WaitGroup
			sender.Go(func() {
				for rest := requests; len(rest) > 0; rest = rest[min(size, len(rest)):] {
					io.WriteString(conn, rest[:min(size, len(rest))])
				}
			})
			in := bufio.NewReader(conn)
			for i, w := range want {
				res, err := http.ReadResponse(in, &http.Request{Method: w.method})
				if err != nil {
					t.Fatalf("answer %d: %v", i, err)
				}
				body, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != w.status || !bytes.Equal(body, w.body) {
					t.Fatalf("answer %d: %s, %d bytes, %v", i, res.Status, len(body), err)
				}
				if w.method == "HEAD" && res.ContentLength != int64(len(big)) {
					t.Errorf("HEAD says %d bytes", res.ContentLength)
				}
			}
			if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
				t.Errorf("%q, %v behind the last answer", rest, err)
			}
			sender.Wait()
		}
	})
}

// More requests than the server reads while its answers are not taken.
func TestLongPipeline(t *testing.T) {
	const count = 20000
	forEach(t, config{}, func(t *testing.T, address string) {
		conn := dial(t, address)
		go func() {
			for range count {
				io.WriteString(conn, "GET /a.txt HTTP/1.1\r\n"+host+"\r\n")
			}
			conn.CloseWrite()
		}()
		got, err := io.ReadAll(conn)
		if n := bytes.Count(got, []byte("\r\n\r\na")); n != count || err != nil {
			t.Errorf("%d answers, %v", n, err)
		}
	})
}

// A client that has sent its last before it reads gets all of its answer.
func TestHalfClosed(t *testing.T) {
	forEach(t, config{}, func(t *testing.T, address string) {
		conn := dial(t, address)
		io.WriteString(conn, "GET /big.bin HTTP/1.1\r\n"+host+"\r\n")
		conn.CloseWrite()
		got, err := io.ReadAll(conn)
		if err != nil || !bytes.HasSuffix(got, big) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}
