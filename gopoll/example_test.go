package gopoll_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"os"
	"slices"
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// start is what most examples begin with: a poller, and two connected sockets.
func start() (p *gopoll.Poller, a, b uintptr) {
	p, err := gopoll.New()
	if err != nil {
		log.Fatal(err)
	}
	a, b, err = socket.Pair()
	if err != nil {
		log.Fatal(err)
	}
	return p, a, b
}

// check is for errors that an example has nothing to say about.
func check(errs ...error) {
	if err := errors.Join(errs...); err != nil {
		log.Fatal(err)
	}
}

// next waits for one event.
func next(p *gopoll.Poller) gopoll.Event {
	var events [1]gopoll.Event
	if n, err := p.Wait(events[:], 10*time.Second); n != 1 || err != nil {
		log.Fatal("no event: ", err)
	}
	return events[0]
}

// quiet says whether nothing is reported now.
func quiet(p *gopoll.Poller) bool {
	var events [1]gopoll.Event
	n, err := p.Wait(events[:], 0)
	check(err)
	return n == 0
}

func Example() {
	p, err := gopoll.New()
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	a, b, err := socket.Pair()
	if err != nil {
		log.Fatal(err)
	}
	const key = 7
	src, err := p.Add(a, key, gopoll.Readable, gopoll.Level)
	if err != nil {
		log.Fatal(err)
	}
	socket.Write(b, []byte("hello"))

	events := make([]gopoll.Event, 64)
	n, err := p.Wait(events, -1)
	if err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 64)
	for _, e := range events[:n] {
		n, err := socket.Read(a, buf)
		fmt.Printf("key %d is %v: %q %v\n", e.Key, e.Ready, buf[:n], err)
	}

	src.Delete() // before the descriptor is closed
	socket.Close(a)
	socket.Close(b)
	// Output: key 7 is Readable: "hello" <nil>
}

func ExampleNew() {
	p, err := gopoll.New(gopoll.WithBinding(gopoll.Pure), gopoll.WithLendLimit(1000, 1<<20))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Binding(), p.Close())

	_, err = gopoll.New(gopoll.WithLendLimit(-1, 0))
	fmt.Println(err)
	// Output:
	// pure <nil>
	// gopoll: new: invalid argument
}

func ExampleWithBinding() {
	_, err := gopoll.New(gopoll.WithBinding(gopoll.Cgo))
	has := slices.Contains(gopoll.Bindings(), gopoll.Cgo)
	fmt.Println(has == (err == nil), err == nil || errors.Is(err, errors.ErrUnsupported))
	// Output: true true
}

func ExampleWithLendLimit() {
	p, err := gopoll.New(gopoll.WithLendLimit(2, 100))
	check(err)
	defer p.Close()
	a, _, err := socket.Pair()
	check(err)
	src, err := p.Add(a, 1, 0, gopoll.Level)
	check(err)
	fmt.Println(src.LendRead(make([]byte, 90)))
	fmt.Println(errors.Is(src.LendRead(make([]byte, 11)), gopoll.ErrLimit))
	fmt.Println(src.LendRead(make([]byte, 10)))
	fmt.Println(errors.Is(src.LendRead(make([]byte, 1)), gopoll.ErrLimit))
	// Output:
	// <nil>
	// true
	// <nil>
	// true
}

func ExampleBindings() {
	for _, b := range gopoll.Bindings() {
		p, err := gopoll.New(gopoll.WithBinding(b))
		check(err)
		fmt.Println(p.Binding() == b, p.Close())
		break // which of them are there depends on the build
	}
	// Output: true <nil>
}

func ExamplePoller_Backend() {
	p, _, _ := start()
	defer p.Close()
	fmt.Println(slices.Contains([]string{"epoll", "kqueue", "iocp"}, p.Backend()))
	// Output: true
}

func ExamplePoller_Binding() {
	p, _, _ := start()
	defer p.Close()
	fmt.Println(p.Binding() == gopoll.Bindings()[0]) // the default is the best
	// Output: true
}

func ExamplePoller_Add() {
	p, a, b := start()
	defer p.Close()
	_, err := p.Add(a, 1, gopoll.Readable|gopoll.Writable, gopoll.Level)
	check(err)
	fmt.Println(next(p).Ready)
	socket.Write(b, []byte("x"))
	// A kqueue tells of each direction apart: with room for two, it is one event.
	var events [2]gopoll.Event
	n, err := p.Wait(events[:], -1)
	fmt.Println(n, events[0].Ready, err)

	_, err = p.Add(a, 2, gopoll.Readable, gopoll.Level)
	fmt.Println(errors.Is(err, fs.ErrExist))
	// Output:
	// Writable
	// 1 Readable|Writable <nil>
	// true
}

// A paused source is registered and reports nothing.
func ExamplePoller_Add_paused() {
	p, a, b := start()
	defer p.Close()
	src, err := p.Add(a, 1, 0, gopoll.Level)
	check(err)
	socket.Write(b, []byte("x"))
	fmt.Println(quiet(p))
	check(src.Modify(1, gopoll.Readable, gopoll.Level))
	fmt.Println(next(p).Ready)
	// Output:
	// true
	// Readable
}

func ExamplePoller_AddConn() {
	p, err := gopoll.New()
	check(err)
	defer p.Close()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(err)
	defer listener.Close()
	src, err := p.AddConn(listener, 1, gopoll.Readable, gopoll.Level)
	check(err)

	client, err := net.Dial("tcp", listener.Addr().String())
	check(err)
	defer client.Close()
	fmt.Println(next(p).Ready)
	server, err := listener.Accept()
	check(err)
	defer server.Close()
	fmt.Println(server.RemoteAddr().String() == client.LocalAddr().String())

	fmt.Println(errors.Is(src.LendRead(make([]byte, 1)), errors.ErrUnsupported))
	fmt.Println(src.Delete())
	// Output:
	// Readable
	// true
	// true
	// <nil>
}

func ExamplePoller_Apply() {
	p, a, b := start()
	defer p.Close()
	changes := []gopoll.Change{
		{Op: gopoll.OpAdd, Fd: a, Key: 1, Interest: gopoll.Writable, Mode: gopoll.Level},
		{Op: gopoll.OpAdd, Fd: b, Key: 2, Interest: gopoll.Readable, Mode: gopoll.OneShot},
		{Op: gopoll.OpAdd, Fd: a, Key: 3, Interest: gopoll.Readable, Mode: gopoll.Level},
	}
	err := p.Apply(changes)
	fmt.Println(errors.Is(err, gopoll.ErrExist))
	for _, c := range changes {
		fmt.Println(c.Op, c.Err == nil)
	}
	fmt.Println(p.Apply([]gopoll.Change{
		{Op: gopoll.OpModify, Source: changes[0].Source, Key: 1, Interest: gopoll.Readable, Mode: gopoll.Edge},
		{Op: gopoll.OpDelete, Source: changes[1].Source},
	}))
	// Output:
	// true
	// add true
	// add true
	// add false
	// <nil>
}

func ExamplePoller_Wait() {
	p, a, b := start()
	defer p.Close()
	_, err := p.Add(a, 1, gopoll.Readable, gopoll.Level)
	check(err)
	events := make([]gopoll.Event, 8)
	fmt.Println(p.Wait(events, 0)) // looks
	fmt.Println(p.Wait(events, time.Millisecond))
	socket.Write(b, []byte("x"))
	fmt.Println(p.Wait(events, -1)) // for ever, if nothing came
	_, err = p.Wait(nil, 0)
	fmt.Println(err)
	// Output:
	// 0 <nil>
	// 0 <nil>
	// 1 <nil>
	// gopoll: wait: invalid argument
}

func ExamplePoller_Events() {
	p, a, b := start()
	defer p.Close()
	_, err := p.Add(a, 1, gopoll.Readable, gopoll.Level)
	check(err)
	socket.Write(b, []byte("ab"))

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	buf := make([]byte, 1)
	for e, err := range p.Events(ctx) {
		switch {
		case err != nil: // the last item
			fmt.Println(err)
		case e.Ready == 0:
			fmt.Println("a wake")
			cancel()
		default:
			socket.Read(a, buf)
			fmt.Printf("%v %s\n", e.Ready, buf)
			if buf[0] == 'b' {
				check(p.Wake())
			}
		}
	}
	// Output:
	// Readable a
	// Readable b
	// a wake
	// context canceled
}

func ExamplePoller_Wake() {
	p, _, _ := start()
	defer p.Close()
	done := make(chan int)
	go func() {
		n, err := p.Wait(make([]gopoll.Event, 1), -1)
		check(err)
		done <- n
	}()
	check(p.Wake()) // before that Wait begins, or during it
	fmt.Println("events:", <-done)
	// Output: events: 0
}

// A poller can be a source of another one.
func ExamplePoller_Fd() {
	inner, a, b := start()
	defer inner.Close()
	outer, err := gopoll.New()
	check(err)
	defer outer.Close()
	_, err = inner.Add(a, 1, gopoll.Readable, gopoll.Level)
	check(err)
	if inner.Backend() == "iocp" { // a port is no socket
		fmt.Println("Readable\nReadable")
		return
	}
	_, err = outer.Add(inner.Fd(), 2, gopoll.Readable, gopoll.Level)
	check(err)
	socket.Write(b, []byte("x"))
	fmt.Println(next(outer).Ready)
	fmt.Println(next(inner).Ready)
	// Output:
	// Readable
	// Readable
}

func ExamplePoller_Close() {
	p, a, _ := start()
	src, err := p.Add(a, 1, 0, gopoll.Level)
	check(err)
	buf := make([]byte, 64)
	check(src.LendRead(buf))
	fmt.Println(p.Close()) // and buf is the caller's again

	err = p.Wake()
	fmt.Println(err, errors.Is(err, os.ErrClosed))
	// Output:
	// <nil>
	// gopoll: wake: closed true
}

func ExampleSource_Modify() {
	p, a, b := start()
	defer p.Close()
	src, err := p.Add(a, 1, gopoll.Readable, gopoll.OneShot)
	check(err)
	socket.Write(b, []byte("x"))
	fmt.Println(next(p).Key, quiet(p))
	check(src.Modify(2, gopoll.Readable, gopoll.OneShot))
	fmt.Println(next(p).Key, quiet(p))
	// Output:
	// 1 true
	// 2 true
}

func ExampleSource_Rearm() {
	p, a, b := start()
	defer p.Close()
	src, err := p.Add(a, 1, gopoll.Readable, gopoll.Edge)
	check(err)
	buf := make([]byte, 2)
	for _, message := range []string{"one", "two"} {
		socket.Write(b, []byte(message))
		fmt.Print(next(p).Ready, ":")
		for {
			n, err := socket.Read(a, buf)
			if err == socket.ErrWouldBlock {
				break
			}
			fmt.Printf(" %s", buf[:n])
		}
		fmt.Println()
		check(src.Rearm(gopoll.Readable))
	}
	// Output:
	// Readable: on e
	// Readable: tw o
}

func ExampleSource_Delete() {
	p, a, b := start()
	defer p.Close()
	src, err := p.Add(a, 1, gopoll.Readable, gopoll.Level)
	check(err)
	socket.Write(b, []byte("x"))
	fmt.Println(src.Delete(), quiet(p))
	err = src.Delete()
	fmt.Println(err)
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// <nil> true
	// gopoll: delete: source not registered
	// true
}

func ExampleSource_LendRead() {
	p, a, b := start()
	defer p.Close()
	src, err := p.Add(a, 1, 0, gopoll.Level)
	check(err)
	buf := make([]byte, 64)
	check(src.LendRead(buf)) // and not touched until it is back
	socket.Write(b, []byte("hello"))
	e := next(p)
	n, err := e.Result()
	fmt.Printf("%v: %q %v\n", e.Ready, buf[:n], err)

	check(src.LendRead(buf))
	socket.Close(b)
	e = next(p)
	n, err = e.Result()
	fmt.Println(e.Ready, n, err)
	// Output:
	// Readable|Returned: "hello" <nil>
	// Readable|Returned|EOF 0 <nil>
}

func ExampleSource_LendWrite() {
	p, a, b := start()
	defer p.Close()
	src, err := p.Add(a, 1, gopoll.Readable, gopoll.Level) // watched for one, lent for the other
	check(err)
	check(src.LendWrite([]byte("hello ")), src.LendWrite([]byte("world")))
	for range 2 {
		e := next(p)
		fmt.Println(e.Ready, e.N)
	}
	buf := make([]byte, 64)
	n, err := socket.Read(b, buf)
	fmt.Printf("%q %v\n", buf[:n], err)
	// Output:
	// Writable|Returned 6
	// Writable|Returned 5
	// "hello world" <nil>
}

func ExampleSource_Reclaim() {
	p, a, _ := start()
	defer p.Close()
	src, err := p.Add(a, 1, 0, gopoll.Level)
	check(err)
	check(src.LendRead(make([]byte, 64)))
	check(src.Reclaim())
	_, err = next(p).Result()
	fmt.Println(errors.Is(err, gopoll.ErrCanceled))
	// Output: true
}

func ExampleEvent_Result() {
	fmt.Println(gopoll.Event{Ready: gopoll.Returned | gopoll.Readable, N: 12}.Result())
	fmt.Println(gopoll.Event{Ready: gopoll.Returned | gopoll.Readable | gopoll.EOF}.Result())
	_, err := gopoll.Event{Ready: gopoll.Returned | gopoll.Writable | gopoll.Failed, N: 32}.Result()
	fmt.Println(err != nil)
	// Output:
	// 12 <nil>
	// 0 <nil>
	// true
}

func ExampleReadiness_String() {
	fmt.Println(gopoll.Readable|gopoll.ReadClosed, gopoll.Readiness(0), gopoll.Readiness(1<<31))
	// Output: Readable|ReadClosed 0 0x80000000
}

func ExampleMode_String() {
	fmt.Println(gopoll.Level, gopoll.Edge, gopoll.OneShot, gopoll.Mode(9))
	// Output: Level Edge OneShot Mode(9)
}

// Level: at each Wait while it holds.
func ExampleMode_level() {
	p, a, b := start()
	defer p.Close()
	_, err := p.Add(a, 1, gopoll.Readable, gopoll.Level)
	check(err)
	socket.Write(b, []byte("x"))
	fmt.Println(next(p).Ready, next(p).Ready)
	socket.Read(a, make([]byte, 1))
	fmt.Println(quiet(p))
	// Output:
	// Readable Readable
	// true
}

// Edge: once, and again at the next arrival after drained and re-armed.
func ExampleMode_edge() {
	p, a, b := start()
	defer p.Close()
	src, err := p.Add(a, 1, gopoll.Readable, gopoll.Edge)
	check(err)
	socket.Write(b, []byte("x"))
	fmt.Println(next(p).Ready, quiet(p))
	buf := make([]byte, 8)
	socket.Read(a, buf)
	_, err = socket.Read(a, buf)
	fmt.Println(err == socket.ErrWouldBlock)
	check(src.Rearm(gopoll.Readable))
	socket.Write(b, []byte("y"))
	fmt.Println(next(p).Ready)
	// Output:
	// Readable true
	// true
	// Readable
}

// OneShot: once, and then not before Modify.
func ExampleMode_oneShot() {
	p, a, b := start()
	defer p.Close()
	src, err := p.Add(a, 1, gopoll.Readable, gopoll.OneShot)
	check(err)
	socket.Write(b, []byte("x"))
	fmt.Println(next(p).Ready, quiet(p))
	socket.Write(b, []byte("y"))
	fmt.Println(quiet(p))
	check(src.Modify(1, gopoll.Readable, gopoll.OneShot))
	fmt.Println(next(p).Ready)
	// Output:
	// Readable true
	// true
	// Readable
}

func ExampleBinding_String() {
	fmt.Println(gopoll.Cgo, gopoll.Pure)
	// Output: cgo pure
}

func ExampleOp_String() {
	fmt.Println(gopoll.OpAdd, gopoll.OpModify, gopoll.OpDelete)
	// Output: add modify delete
}

func ExampleError() {
	p, _, _ := start()
	defer p.Close()
	_, err := p.Add(gopoll.NoFd, 1, gopoll.Readable, gopoll.Level)
	var e *gopoll.Error
	fmt.Println(errors.As(err, &e), e.Op, e.Fd == gopoll.NoFd, e.Err != nil)
	// Output: true add true true
}

func ExampleError_Error() {
	err := &gopoll.Error{Op: "add", Fd: 5, Err: gopoll.ErrExist}
	fmt.Println(err.Error())
	// Output: gopoll: add fd 5: already in use
}

func ExampleError_Unwrap() {
	var err error = &gopoll.Error{Op: "wait", Fd: gopoll.NoFd, Err: gopoll.ErrClosed}
	fmt.Println(errors.Unwrap(err) == gopoll.ErrClosed, errors.Is(err, os.ErrClosed))
	// Output: true true
}

func ExampleArena() {
	p, a, b := start()
	defer p.Close()
	arena, err := gopoll.NewArena(2, 4096)
	check(err)
	src, err := p.Add(a, 1, 0, gopoll.Level)
	check(err)

	buf := arena.Get()
	check(src.LendRead(buf))
	fmt.Println(errors.Is(arena.Free(), fs.ErrExist)) // part of it is lent
	socket.Write(b, []byte("hello"))
	fmt.Printf("%q\n", buf[:next(p).N])
	arena.Put(buf)
	fmt.Println(arena.Free())
	// Output:
	// true
	// "hello"
	// <nil>
}

func ExampleNewArena() {
	arena, err := gopoll.NewArena(2, 16)
	check(err)
	defer arena.Free()
	_, err = gopoll.NewArena(0, 16)
	fmt.Println(err)
	// Output: gopoll: arena: invalid argument
}

func ExampleArena_Get() {
	arena, err := gopoll.NewArena(2, 16)
	check(err)
	defer arena.Free()
	fmt.Println(len(arena.Get()), len(arena.Get()), arena.Get() == nil)
	// Output: 16 16 true
}

func ExampleArena_Put() {
	arena, err := gopoll.NewArena(1, 16)
	check(err)
	defer arena.Free()
	buf := arena.Get()
	fmt.Println(arena.Get() == nil)
	arena.Put(buf[:3]) // any part that begins where it begins
	fmt.Println(len(arena.Get()))
	// Output:
	// true
	// 16
}

func ExampleArena_Free() {
	arena, err := gopoll.NewArena(1, 16)
	check(err)
	fmt.Println(arena.Free())
	fmt.Println(errors.Is(arena.Free(), gopoll.ErrClosed))
	// Output:
	// <nil>
	// true
}
