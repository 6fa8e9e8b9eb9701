package main

import (
	"fmt"
	"net"
	"runtime"
	"sync"

	"gopoll.dev/gopoll"
)

const manyIdle = 4096

// idle measures the Go memory that a source which does nothing costs.
func idle(l *lab) (s *section, err error) {
	var clean cleanup
	defer clean.run(&err)
	beside, err := idleGoroutines() // first, while there are descriptors
	if err != nil {
		return nil, err
	}
	all, err := openSockets(manyIdle)
	if err != nil {
		return nil, err
	}
	clean.add(func() error { all.close(); return nil })
	goroutine := "goroutine"
	s = &section{Title: "An idle source", Unit: bytes, Columns: append(bindings(), goroutine),
		Note: fmt.Sprintf("Go memory for one of %d sources that wait, beside a goroutine with a buffer of 4 KiB in a net.Conn's Read.", len(all))}
	r := s.add("for one source", "")
	for i, column := range s.Columns[:len(s.Columns)-1] {
		l.progress.step(i, len(s.Columns))
		p, err := newPoller(column)
		if err != nil {
			return nil, err
		}
		clean.add(p.Close)
		before := goMemory()
		for k, fd := range all {
			if _, err := p.Add(fd, uint64(k), gopoll.Readable, gopoll.Level); err != nil {
				return nil, err
			}
		}
		r.Figures[column] = newFigure([]float64{perSource(before, len(all))})
		runtime.KeepAlive(p)
	}
	r.Figures[goroutine] = beside
	return s, nil
}

// idleGoroutines measures package net's way, for fewer connections.
func idleGoroutines() (_ *figure, err error) {
	const count = 256
	var clean cleanup
	defer clean.run(&err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	clean.add(listener.Close)
	var readers, begun sync.WaitGroup
	var near, far []net.Conn
	for range count {
		client, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			return nil, err
		}
		clean.add(client.Close)
		server, err := listener.Accept()
		if err != nil {
			return nil, err
		}
		clean.add(server.Close)
		near, far = append(near, client), append(far, server)
	}
	before := goMemory()
	begun.Add(count)
	for _, conn := range far {
		readers.Go(func() {
			buf := make([]byte, 4096)
			conn.Read(buf) // one byte: by now the stack is as large as a Read wants it
			begun.Done()
			conn.Read(buf)
		})
	}
	for _, conn := range near {
		if _, err := conn.Write([]byte{0}); err != nil {
			return nil, err
		}
	}
	begun.Wait()
	f := newFigure([]float64{perSource(before, count)})
	for _, conn := range near {
		conn.(*net.TCPConn).CloseWrite()
	}
	readers.Wait()
	return f, nil
}

// goMemory is what the heap and the stacks hold once the collector is done.
func goMemory() uint64 {
	var m runtime.MemStats
	for range 2 { // what the first run found dead may have had finalizers
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func perSource(before uint64, count int) float64 {
	return max(0, float64(int64(goMemory())-int64(before))/float64(count))
}
