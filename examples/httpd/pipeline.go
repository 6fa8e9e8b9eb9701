package main

import (
	"bytes"
	"net/http"
)

const (
	outBatch  = 16 << 10 // answers to pipelined requests are gathered up to here
	copyLimit = 4 << 10  // smaller pages are copied behind their heads
	emptyLine = "\r\n"   // what some clients send between requests
)

// understand answers what has arrived, until enough is to be written.
func (s *server) understand(c *conn) {
	for !c.ending && len(c.body) == 0 && len(c.out) < outBatch {
		passed := min(c.skip, int64(len(c.in)))
		c.in, c.skip = c.in[passed:], c.skip-passed
		if c.skip > 0 {
			return
		}
		if c.later.status != 0 {
			s.respond(c, c.later)
			c.later = answer{}
			continue
		}
		for bytes.HasPrefix(c.in, []byte(emptyLine)) {
			c.in = c.in[len(emptyLine):]
		}
		end := headEnd(c.in)
		switch {
		case end > maxHead, end < 0 && len(c.in) > maxHead:
			s.respond(c, answer{status: http.StatusRequestHeaderFieldsTooLarge, close: true})
		case end < 0:
			return
		default:
			s.take(c, s.site.decide(c.in[:end], s.parse))
			c.in = c.in[end:]
		}
	}
}

// take answers a request: at once, or where it has a body behind that. The
// client is told to send it where it waits for that, since it would not know
// otherwise whether we go on to pass over it.
func (s *server) take(c *conn, a answer) {
	if a.skip == 0 {
		s.respond(c, a)
		return
	}
	c.skip, c.later = a.skip, a
	c.deadline = s.now + s.headTime
	if a.proceed {
		c.out = append(s.fresh(c), "HTTP/1.1 100 Continue\r\n\r\n"...)
	}
}

func (s *server) respond(c *conn, a answer) {
	c.ending = a.close
	c.out, c.body = a.write(s.fresh(c), s.date())
	if len(c.body) <= copyLimit {
		c.out, c.body = append(c.out, c.body...), nil
	}
	c.deadline = s.now + s.headTime
}

// fresh is what c has to write, to be appended to.
func (s *server) fresh(c *conn) []byte {
	if len(c.out) == 0 {
		c.outShared = true
		return s.scratch[:0]
	}
	return c.out
}
