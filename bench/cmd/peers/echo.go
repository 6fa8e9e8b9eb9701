package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// An echoShape is so many connections, bytes of a message, messages a second
// where the rate is fixed, and CPU-bound goroutines in the server.
type echoShape struct{ conns, size, rate, burn int }

func (s echoShape) String() string {
	return fmt.Sprintf("%dx%d@%d+%d", s.conns, s.size, s.rate, s.burn)
}

func parseEchoShape(text string) (s echoShape, err error) {
	n, _ := fmt.Sscanf(text, "%dx%d@%d+%d", &s.conns, &s.size, &s.rate, &s.burn)
	if n != 4 || s.String() != text {
		return s, fmt.Errorf("%q isn't CONNECTIONSxBYTES@RATE+BURNING", text)
	}
	return s, nil
}

// serve starts an echo server and waits until it takes connections.
func (o *options) serve(c contender, s echoShape) (*process, string, error) {
	addr, err := o.freeAddr()
	if err != nil {
		return nil, "", err
	}
	p, err := start(o.serverCPU, 2*time.Minute, append(c.Run,
		"-addr", addr, "-size", strconv.Itoa(max(s.size, 4096)),
		"-conns", strconv.Itoa(s.conns), "-burn", strconv.Itoa(s.burn))...)
	if err != nil {
		return nil, "", err
	}
	// Not every server can tell when it listens, so it's asked by connecting.
	for deadline := time.Now().Add(5 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return p, addr, nil
		}
		if time.Now().After(deadline) {
			p.kill()
			return nil, "", fmt.Errorf("%s doesn't listen: %w: %s", c.id(), err, p.stderr.String())
		}
		time.Sleep(time.Millisecond)
	}
}

// freeAddr is an address below the ephemeral ports, so that no connection of
// the client's can have its port; another one each time.
func (o *options) freeAddr() (string, error) {
	for range 10_000 {
		o.port++
		addr := fmt.Sprintf("127.0.0.1:%d", 20_000+o.port%10_000)
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("no free port")
}

func (o *options) client(addr string, server *process, s echoShape) (*process, error) {
	p, err := start(o.clientCPU, 2*time.Minute, o.clientBinary,
		"-addr", addr, "-pid", strconv.Itoa(server.cmd.Process.Pid),
		"-conns", strconv.Itoa(s.conns), "-size", strconv.Itoa(s.size), "-rate", strconv.Itoa(s.rate),
		"-warm", o.warm.String(), "-length", o.length.String())
	if err != nil {
		return nil, err
	}
	if _, err := p.line(); err != nil { // connected
		return nil, err
	}
	return p, nil
}

// echo loads one server once, in the closed loop and then at the fixed rate.
func (o *options) echo(c contender, s echoShape, round int, keep func(sample) error) error {
	server, addr, err := o.serve(c, s)
	if err != nil {
		return err
	}
	defer server.kill()
	client, err := o.client(addr, server, s)
	if err != nil {
		return err
	}
	defer client.kill()
	if s.burn > 0 {
		if _, err := server.ask("burn"); err != nil {
			return err
		}
	}
	first, err := client.ask("load")
	if err != nil {
		return err
	}
	second, err := client.line()
	if err != nil {
		return err
	}
	v, err := values(first, "closed.")
	if err != nil {
		return err
	}
	w, err := values(second, "paced.")
	if err != nil {
		return err
	}
	maps.Copy(v, w)
	if v["closed.messages"] == 0 {
		return fmt.Errorf("%s: %s: not one message in the closed loop", c.id(), s)
	}
	if err := keep(sample{"echo", c.Name, s.String(), round, v}); err != nil {
		return err
	}
	return client.finish()
}

// idle reads what a server's memory grows by with so many connections that
// have had one message each, after it has given back all it doesn't need.
func (o *options) idle(c contender, conns, round int, keep func(sample) error) error {
	s := echoShape{conns: conns, size: 64, rate: 1}
	server, addr, err := o.serve(c, s)
	if err != nil {
		return err
	}
	defer server.kill()
	before, err := settled(server)
	if err != nil {
		return err
	}
	client, err := o.client(addr, server, s)
	if err != nil {
		return err
	}
	defer client.kill()
	after, err := settled(server)
	if err != nil {
		return err
	}
	if _, err := client.ask("round"); err != nil { // they are all still there
		return err
	}
	if err := keep(sample{"idle", c.Name, strconv.Itoa(conns), round, map[string]float64{
		"before_bytes": before, "after_bytes": after, "conns": float64(conns),
	}}); err != nil {
		return err
	}
	return client.finish()
}

// settled is a server's anonymous memory: what it has of its own, in user space.
func settled(server *process) (float64, error) {
	if _, err := server.ask("settle"); err != nil {
		return 0, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", server.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "RssAnon:")
	var kb float64
	_, err = fmt.Sscan(after, &kb)
	return kb * 1024, err
}
