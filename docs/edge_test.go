package guide

import (
	"errors"
	"io"
	"testing"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// readAll reads until the socket would block and then asks for the next arrival.
func readAll(source gopoll.Source, fd uintptr, buf []byte, use func([]byte)) error {
	for {
		n, err := socket.Read(fd, buf)
		if err == socket.ErrWouldBlock {
			return source.Rearm(gopoll.Readable)
		}
		if err != nil {
			return err // io.EOF at the end of the stream
		}
		use(buf[:n])
	}
}

// writeAll writes as much as the socket takes, and returns the rest. Only a
// write that would block re-arms: what is left is written at the next event.
func writeAll(source gopoll.Source, fd uintptr, data []byte) (rest []byte, err error) {
	for len(data) > 0 {
		n, err := socket.Write(fd, data)
		if err == socket.ErrWouldBlock {
			return data, source.Rearm(gopoll.Writable)
		}
		if err != nil {
			return data, err
		}
		data = data[n:]
	}
	return nil, nil
}

func TestEdge(t *testing.T) {
	p, a, b := pair(t)
	source, err := p.Add(b, 1, gopoll.Readable|gopoll.Writable, gopoll.Edge)
	if err != nil {
		t.Fatal(err)
	}
	events := make([]gopoll.Event, 4)
	sender, err := p.Add(a, 2, gopoll.Readable|gopoll.Writable, gopoll.Edge)
	if err != nil {
		t.Fatal(err)
	}
	const total = 1 << 22
	rest, got := make([]byte, total), 0
	buf := make([]byte, 4096)
	for done := false; !done; {
		n, err := p.Wait(events, -1)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events[:n] {
			switch {
			case ev.Key == 2 && ev.Ready&gopoll.Writable != 0 && rest != nil:
				if rest, err = writeAll(sender, a, rest); err == nil && rest == nil {
					err = socket.Shutdown(a, socket.ShutWrite)
				}
			case ev.Key == 1 && ev.Ready&gopoll.Readable != 0:
				if err = readAll(source, b, buf, func(part []byte) { got += len(part) }); err == io.EOF {
					done, err = true, nil
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if got != total {
		t.Errorf("%d bytes", got)
	}
}

// pair is a poller and two connected sockets.
func pair(t *testing.T) (p *gopoll.Poller, a, b uintptr) {
	t.Helper()
	p, err := gopoll.New()
	if err != nil {
		t.Fatal(err)
	}
	a, b, err = socket.Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close() // a test may have done so
		if err := errors.Join(socket.Close(a), socket.Close(b)); err != nil {
			t.Error(err)
		}
	})
	return p, a, b
}
