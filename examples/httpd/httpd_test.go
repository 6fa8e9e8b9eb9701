package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gopoll.dev/gopoll"
)

const host = "Host: test\r\n"

var big = bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // more than sockets hold

func testSite() site {
	s := site{}
	s.add("/index.html", []byte("<p>index"), time.Unix(0, 0))
	s.add("/a.txt", []byte("a"), time.Unix(0, 0))
	s.add("/big.bin", big, time.Unix(0, 0))
	return s
}

// forEach runs a test against a server of each binding.
func forEach(t *testing.T, c config, test func(t *testing.T, address string)) {
	for _, binding := range gopoll.Bindings() {
		t.Run(binding.String(), func(t *testing.T) {
			c := c
			c.binding, c.max = &binding, max(c.max, 1)*100
			if c.headTime == 0 {
				c.headTime, c.idleTime = time.Hour, time.Hour
			}
			s, err := newServer("127.0.0.1:0", testSite(), c)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.run(ctx) }()
			defer func() {
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
			test(t, s.door.Addr())
		})
	}
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// talk sends text and returns all that comes until the server closes.
func talk(t *testing.T, address, text string) string {
	t.Helper()
	conn := dial(t, address)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("after %q: %v", got, err)
	}
	return string(got)
}

// Requests after which the server closes by itself.
func TestStatus(t *testing.T) {
	closing := host + "Connection: close\r\n\r\n"
	forEach(t, config{}, func(t *testing.T, address string) {
		for _, c := range []struct{ name, request, status, has string }{
			{"page", "GET /a.txt HTTP/1.1\r\n" + closing, "200 OK", "\r\n\r\na"},
			{"folder", "GET / HTTP/1.1\r\n" + closing, "200 OK", "<p>index"},
			{"query", "GET /a.txt?x=/../ HTTP/1.1\r\n" + closing, "200 OK", "\r\n\r\na"},
			{"empty lines before", "\r\n\r\nGET /a.txt HTTP/1.1\r\n" + closing, "200 OK", "\r\n\r\na"},
			{"bare newlines", "GET /a.txt HTTP/1.1\nHost: x\nConnection: close\n\n", "200 OK", "\r\n\r\na"},
			{"old version", "GET /a.txt HTTP/1.0\r\n\r\n", "200 OK", "\r\n\r\na"},
			{"nothing there", "GET /b.txt HTTP/1.1\r\n" + closing, "404 Not Found", ""},
			{"out of the folder", "GET /../../etc/passwd HTTP/1.1\r\n" + closing, "404 Not Found", ""},
			{"no host", "GET / HTTP/1.1\r\n\r\n", "400 Bad Request", ""},
			{"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", "400 Bad Request", ""},
			{"no request", "hello\r\n\r\n", "400 Bad Request", ""},
			{"bad header", "GET / HTTP/1.1\r\n" + host + "no colon\r\n\r\n", "400 Bad Request", ""},
			{"bad length", "GET / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", "400 Bad Request", ""},
			{"head too long", "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", maxHead), "431 Request Header Fields Too Large", ""},
			{"line too long", "GET /" + strings.Repeat("x", 1<<20), "431 Request Header Fields Too Large", ""},
			{"new version", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP Version Not Supported", ""},
			{"method", "POST / HTTP/1.1\r\n" + host + "Content-Length: 4\r\n\r\nbody", "405 Method Not Allowed", "Allow: GET, HEAD"},
			{"expectation", "GET / HTTP/1.1\r\n" + host + "Expect: more\r\n\r\n", "417 Expectation Failed", ""},
			{"chunked", "GET /a.txt HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n", "200 OK", "Connection: close"},
		} {
			got := talk(t, address, c.request)
			if !strings.HasPrefix(got, "HTTP/1.1 "+c.status+"\r\n") || !strings.Contains(got, c.has) {
				t.Errorf("%s: %q", c.name, got)
			}
			if n := strings.Count(got, "HTTP/1.1 "); n != 1 {
				t.Errorf("%s: %d answers: %q", c.name, n, got)
			}
		}
	})
}

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

// The client sends its body only once it was told to.
func TestContinue(t *testing.T) {
	forEach(t, config{}, func(t *testing.T, address string) {
		conn := dial(t, address)
		in := bufio.NewReader(conn)
		for range 2 {
			io.WriteString(conn, "GET /a.txt HTTP/1.1\r\n"+host+"Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n")
			line, err := in.ReadString('\n')
			if empty, _ := in.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" || empty != "\r\n" {
				t.Fatalf("%q, %q, %v", line, empty, err)
			}
			conn.Write(make([]byte, 100000))
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(res.Body); res.StatusCode != 200 || string(body) != "a" || err != nil {
				t.Errorf("%s, %q, %v", res.Status, body, err)
			}
		}
	})
}

// Many of net/http's clients at once, with the connections kept.
func TestClients(t *testing.T) {
	forEach(t, config{}, func(t *testing.T, address string) {
		transport := &http.Transport{MaxIdleConnsPerHost: 20}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for i := range 20 {
					name, want := "/a.txt", []byte("a")
					if i == 10 {
						name, want = "/big.bin", big
					}
					res, err := client.Get("http://" + address + name)
					if err != nil {
						t.Error(err)
						return
					}
					body, err := io.ReadAll(res.Body)
					res.Body.Close()
					if err != nil || !bytes.Equal(body, want) {
						t.Errorf("%s: %d bytes, %v", name, len(body), err)
					}
				}
			})
		}
		all.Wait()
	})
}

// Clients that keep the server waiting are closed: in the middle of a head, of a
// body, before they send anything, between requests, while they don't read.
func TestSlowClients(t *testing.T) {
	short := 20 * time.Millisecond
	for name, text := range map[string]string{
		"head": "GET / HTTP/1.1\r\nHo", "nothing": "", "between": "GET / HTTP/1.1\r\n" + host + "\r\n",
		"body": "GET / HTTP/1.1\r\n" + host + "Content-Length: 9\r\n\r\nb", "lingers": "bad\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			forEach(t, config{headTime: short, idleTime: short}, func(t *testing.T, address string) {
				talk(t, address, text) // ends only once the server closes
			})
		})
	}
	t.Run("does not read", func(t *testing.T) {
		open := make(chan int, 100)
		forEach(t, config{headTime: short, idleTime: short, observe: func(n int) { open <- n }}, func(t *testing.T, address string) {
			conn := dial(t, address)
			conn.SetReadBuffer(1)
			io.WriteString(conn, strings.Repeat("GET /big.bin HTTP/1.1\r\n"+host+"\r\n", 8))
			for <-open != 1 {
			}
			for <-open != 0 {
			}
		})
	})
}

// Those beyond the limit wait outside until somebody leaves.
func TestMostConnections(t *testing.T) {
	forEach(t, config{}, func(t *testing.T, address string) {
		var conns []*net.TCPConn
		for range 150 {
			conns = append(conns, dial(t, address))
		}
		for i, conn := range conns {
			fmt.Fprintf(conn, "GET /a.txt HTTP/1.1\r\n%s\r\n", host)
			if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
			conn.Close()
		}
	})
}

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
