package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
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
