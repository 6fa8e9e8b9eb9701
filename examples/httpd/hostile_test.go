package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

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

// A client that vanishes with a reset, in the middle of an answer or of nothing,
// leaves nothing behind.
func TestReset(t *testing.T) {
	open := make(chan int, 100)
	forEach(t, config{observe: func(n int) { open <- n }}, func(t *testing.T, address string) {
		for _, text := range []string{"", "GET / HT", "GET /big.bin HTTP/1.1\r\n" + host + "\r\n"} {
			conn := dial(t, address)
			io.WriteString(conn, text)
			for <-open != 1 {
			}
			conn.SetLinger(0)
			conn.Close()
			for <-open != 0 {
			}
		}
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
