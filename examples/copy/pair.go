package main

import (
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
	"gopoll.dev/internal/exampleserver"
)

// A pair is a client and the connection made for it. What comes from one end
// goes to the other, each way in a buffer of its own: lent for a read, then for
// the write of all that was read, then for the next read. So an end that takes
// nothing is not read for, and what waits for it is one buffer.
//
// While its bytes wait, an end is not read from, and should it vanish then, that
// shows when something is written to it, or at the idle limit.
type pair struct {
	number   uint64
	ends     [2]end
	progress time.Duration // when a byte moved
	lent     int           // buffers that are out
	ended    int           // ends that have sent their last
	reset    bool          // one end failed: the other gets to see that
	closing  bool          // close it when its buffers are back
}

// The ends of a pair, which are their places in it.
const (
	client = iota
	server
)

type end struct {
	fd     uintptr
	source gopoll.Source
	buffer []byte // for what this end sends
}

// A key is the number of a pair and which of its ends.
func (j *pair) key(at int) uint64              { return j.number<<1 | uint64(at) }
func split(key uint64) (number uint64, at int) { return key >> 1, int(key & 1) }

// join begins a connection for a client. Until it stands nothing is read from
// the client.
func (p *proxy) join(fd uintptr) {
	to, err := socket.Dial(p.network, p.address)
	if err != nil {
		socket.Reset(fd)
		p.count.failed++
		if exampleserver.Exhausted(err) {
			p.door.Fail(err)
		}
		return
	}
	p.last++
	j := &pair{number: p.last, progress: p.now}
	add := [2]gopoll.Change{
		client: {Op: gopoll.OpAdd, Fd: fd, Key: j.key(client)},
		server: {Op: gopoll.OpAdd, Fd: to, Key: j.key(server), Interest: gopoll.Writable, Mode: gopoll.OneShot},
	}
	err = p.poller.Apply(add[:])
	for i := range j.ends {
		// There are as many buffers as ends.
		j.ends[i] = end{add[i].Fd, add[i].Source, p.arena.Get()}
	}
	p.pairs[j.number] = j
	p.count.pairs++
	p.count.other += 3 // the registrations, and the dialling
	if err != nil {
		p.abort(j)
	}
}

// connected starts both ways of a pair whose connection stands, or has failed.
func (p *proxy) connected(j *pair) {
	if j.closing {
		return
	}
	to := &j.ends[server]
	err := socket.ConnectError(to.fd)
	p.count.other += 2 // that, and the change of the registration
	if err == socket.ErrWouldBlock {
		err = to.source.Modify(j.key(server), gopoll.Writable, gopoll.OneShot)
	} else if err == nil {
		// Watched for nothing from here on: its buffers tell.
		if err = to.source.Modify(j.key(server), 0, gopoll.Level); err == nil {
			err = p.read(j, client)
		}
		if err == nil {
			err = p.read(j, server)
		}
	}
	if err != nil {
		p.abort(j)
	}
}

// read lends a buffer for what an end sends.
func (p *proxy) read(j *pair, from int) error {
	e := &j.ends[from]
	err := e.source.LendRead(e.buffer)
	if err == nil {
		j.lent++
		p.count.reads++
	}
	return err
}

// write lends the buffer, with n bytes in it, to the other end.
func (p *proxy) write(j *pair, from, n int) error {
	err := j.ends[1-from].source.LendWrite(j.ends[from].buffer[:n])
	if err == nil {
		j.lent++
		p.count.writes++
	}
	return err
}

// returned goes on with a buffer that is back from an end.
func (p *proxy) returned(j *pair, at int, ev gopoll.Event) {
	j.lent--
	n, err := ev.Result()
	switch {
	case j.closing:
		p.finish(j)
		return
	case err != nil:
		// A reset, or a write to an end that is gone.
	case ev.Ready&gopoll.EOF != 0:
		err = p.half(j, at)
	case ev.Ready&gopoll.Readable != 0:
		j.progress = p.now
		err = p.write(j, at, n)
	default:
		j.progress = p.now
		if from := 1 - at; from == client {
			p.count.up += int64(n)
		} else {
			p.count.down += int64(n)
		}
		err = p.read(j, 1-at)
	}
	if err != nil {
		p.abort(j)
	}
}

// half passes an end of stream on. All bytes before it are written, as they
// were in the same buffer.
func (p *proxy) half(j *pair, from int) error {
	if j.ended++; j.ended == len(j.ends) {
		p.end(j)
		return nil
	}
	p.count.other++
	return socket.Shutdown(j.ends[1-from].fd, socket.ShutWrite)
}

// abort ends a pair of which one end has failed: both see a reset, for to see
// an end of the stream would be to believe that it was complete.
func (p *proxy) abort(j *pair) {
	j.reset = true
	p.end(j)
}

// end deletes a pair's sources, which returns the buffers that are still lent.
// The descriptors have to stay open until then.
func (p *proxy) end(j *pair) {
	if j.closing {
		return
	}
	j.closing = true
	for i := range j.ends {
		j.ends[i].source.Delete()
	}
	p.finish(j)
}

// finish closes a pair that has all its buffers back.
func (p *proxy) finish(j *pair) {
	if j.lent > 0 {
		return
	}
	for _, e := range j.ends {
		if j.reset {
			socket.Reset(e.fd)
		} else {
			socket.Close(e.fd)
		}
		p.arena.Put(e.buffer)
	}
	if j.reset {
		p.count.failed++
	}
	p.count.other += 2 * len(j.ends)
	delete(p.pairs, j.number)
	p.door.Open()
}
