package conformance

import (
	"fmt"
	"sync"
)

// stream is what one end of a connection sends to the other: bytes that depend on their position and on the
// stream, so that a byte lost, doubled, moved or taken from elsewhere is seen at once.
type stream struct {
	seed uint64

	mu     sync.Mutex
	wrote  int64
	read   int64
	sizes  []int // datagrams: those not read yet
	vague  bool  // how much was written can't be told any more (a write that failed on the way, urgent bytes)
	lent   int   // buffers lent to the reading or the writing side
	reader bool  // a background command reads
}

func (s *stream) at(pos int64) byte {
	return byte((uint64(pos)*0x9e3779b97f4a7c15 ^ s.seed*0xbf58476d1ce4e5b9) >> 53)
}

// fill writes into b what the stream has from pos on.
func (s *stream) fill(b []byte, pos int64) {
	for i := range b {
		b[i] = s.at(pos + int64(i))
	}
}

// compare says where b differs from what the stream has from pos on.
func (s *stream) compare(b []byte, pos int64) error {
	for i, c := range b {
		if want := s.at(pos + int64(i)); c != want {
			return fmt.Errorf("wrong data: byte %d of the stream is %#02x, expected %#02x (byte %d of %d)",
				pos+int64(i), c, want, i, len(b))
		}
	}
	return nil
}

// sending returns the next n bytes to write.
func (s *stream) sending(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := make([]byte, n)
	s.fill(b, s.wrote)
	return b
}

// sent notes that n bytes were written; a datagram is kept apart from the next.
func (s *stream) sent(n int, datagram bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote += int64(n)
	if datagram {
		s.sizes = append(s.sizes, n)
	}
}

// received checks n bytes that were read and notes them. Of a datagram the whole was taken, however few bytes
// came of it.
func (s *stream) received(b []byte, datagram bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.compare(b, s.read); err != nil {
		return err
	}
	if !datagram {
		s.read += int64(len(b))
		if s.read > s.wrote && !s.vague {
			return fmt.Errorf("%d bytes read, more than the %d that were written", s.read, s.wrote)
		}
		return nil
	}
	if len(s.sizes) == 0 {
		return fmt.Errorf("a datagram that nobody wrote")
	}
	if len(b) > s.sizes[0] {
		return fmt.Errorf("a datagram of %d bytes, written with %d", len(b), s.sizes[0])
	}
	s.read += int64(s.sizes[0])
	s.sizes = s.sizes[1:]
	return nil
}

func (s *stream) unread() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.wrote - s.read)
}
