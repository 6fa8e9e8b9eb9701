package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"gopoll.dev/gopoll"
)

// lend is a buffer that the poller has.
type lend struct {
	whole []byte // with a guard before and behind
	buf   []byte
	arena *arena
	s     *source
	read  bool
}

type arena struct {
	name  string
	a     *gopoll.Arena
	freed bool
}

func (a *arena) free() error {
	err := a.a.Free()
	a.freed = a.freed || err == nil
	return err
}

const guard = 16

func init() {
	lendCommand("lend-read A[@POLLER] N|nil|huge|slice=S [arena=R] [-> error]", true)
	lendCommand("lend-write A[@POLLER] N|nil|huge|slice=S [arena=R] [-> error]", false)
	sourceCommand("reclaim A[@POLLER] [-> error]", "reclaim", gopoll.Source.Reclaim)
	register("arena R COUNT SIZE [-> error]", "want", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(3, 3)
		if err != nil {
			return nil, err
		}
		count, err1 := number(args[1])
		size, err2 := number(args[2])
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return func(r *run) error {
			if old := r.arenas[args[0]]; old != nil && !old.freed {
				return fmt.Errorf("%s is there already", args[0])
			}
			a, err := gopoll.NewArena(count, size)
			if bad := checkError(err, l.want); bad != nil || l.want != "" {
				return bad
			}
			r.arenas[args[0]] = &arena{name: args[0], a: a}
			return nil
		}, c.define(anArena, args[0])
	})
	register("take R S|empty", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 2)
		if err != nil {
			return nil, err
		}
		c.expects = true
		if err := c.known(anArena, args[0]); err != nil {
			return nil, err
		}
		if args[1] != "empty" {
			err = c.define(aSlice, args[1])
		}
		return func(r *run) error {
			b := r.arenas[args[0]].a.Get()
			if args[1] == "empty" {
				if b != nil {
					return fmt.Errorf("expected: no free slice\ncame:     one of %d bytes", len(b))
				}
				return nil
			}
			if b == nil {
				return fmt.Errorf("expected: a slice\ncame:     nil")
			}
			r.slices[args[1]] = b
			return nil
		}, err
	})
	register("put R S", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 2)
		if err != nil {
			return nil, err
		}
		return func(r *run) error {
			r.arenas[args[0]].a.Put(r.slices[args[1]])
			return nil
		}, errors.Join(c.known(anArena, args[0]), c.known(aSlice, args[1]))
	})
	register("free R [-> error]", "want", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(1, 1)
		if err != nil {
			return nil, err
		}
		return func(r *run) error { return checkError(r.arenas[args[0]].free(), l.want) }, c.known(anArena, args[0])
	})
}

func lendCommand(usage string, read bool) {
	register(usage, "want", func(c *compiler, l *line) (func(*run) error, error) {
		from, words := option(l.words[1:], "arena")
		taken, words := option(words, "slice")
		if len(words) == 1 && taken != "" {
			words = append(words, "0")
		}
		if len(words) != 2 {
			return nil, l.usage()
		}
		name, err := c.source(words[0])
		if err != nil {
			return nil, err
		}
		if from != "" {
			err = c.known(anArena, from)
		} else if taken != "" {
			err = c.known(aSlice, taken)
		}
		if err != nil {
			return nil, err
		}
		size, kind := 0, words[1]
		if kind != "nil" && kind != "huge" {
			kind = ""
			if size, err = number(words[1]); err != nil {
				return nil, err
			}
		}
		return func(r *run) error {
			s, err := r.source(name)
			if err != nil {
				return err
			}
			b := &lend{s: s, read: read}
			switch {
			case kind == "nil":
			case kind == "huge":
				var drop func() error
				length := uint64(math.MaxInt32) + 1
				if length > math.MaxInt {
					return errUnsupportedHere
				}
				if b.buf, drop, err = reserve(int(length)); err != nil {
					return err
				}
				r.cleanup = append(r.cleanup, func() { drop() })
			case taken != "":
				b.buf = r.slices[taken]
				b.arena = &arena{} // whose it is, the script knows
			case from != "":
				b.arena = r.arenas[from]
				whole := b.arena.a.Get()
				if len(whole) < size {
					return fmt.Errorf("expected: a slice of at least %d bytes\ncame:     %d", size, len(whole))
				}
				b.buf = whole[:size]
			default:
				b.whole = bytes.Repeat([]byte{0xa5}, size+2*guard)
				b.buf = b.whole[guard : guard+size : guard+size]
			}
			return r.lend(b, l.want)
		}, nil
	})
}

// lend hands the buffer over. What a write sends counts as written from now on.
func (r *run) lend(b *lend, want string) error {
	s, op := b.s, "lend-read"
	var e *end
	if s.d != nil {
		e = s.d.end
	}
	do := s.s.LendRead
	if !b.read {
		do, op = s.s.LendWrite, "lend-write"
		if e != nil && e.out != nil && want == "" {
			e.out.mu.Lock()
			e.out.fill(b.buf, e.out.wrote)
			e.out.mu.Unlock()
		}
	}
	if bad := s.check(do(b.buf), want, op); bad != nil || want != "" {
		if b.arena != nil && b.arena.a != nil {
			b.arena.a.Put(b.buf)
		}
		return bad
	}
	if b.read {
		s.reads = append(s.reads, b)
	} else {
		s.writes = append(s.writes, b)
		e.out.sent(len(b.buf), e.kind.datagram())
	}
	st := b.stream()
	st.mu.Lock()
	st.lent++
	st.mu.Unlock()
	return nil
}

func (b *lend) stream() *stream {
	if b.read {
		return b.s.d.end.in
	}
	return b.s.d.end.out
}

// returned takes the oldest buffer of the direction back and checks every byte of it.
func (r *run) returned(p *poller, ev gopoll.Event) error {
	s := p.keys[ev.Key]
	if s == nil {
		return fmt.Errorf("a buffer returned for a key that nobody has: %s", p.describe(ev))
	}
	list := &s.writes
	if ev.Ready&gopoll.Readable != 0 {
		list = &s.reads
	}
	if len(*list) == 0 {
		return fmt.Errorf("a buffer returned that was not lent: %s", p.describe(ev))
	}
	b := (*list)[0]
	*list = slices.Delete(*list, 0, 1)
	n, failed := ev.Result()
	if failed != nil {
		n = 0
	}
	if n < 0 || n > len(b.buf) {
		return fmt.Errorf("%d bytes moved in a buffer of %d", n, len(b.buf))
	}
	datagram := s.d.end.kind.datagram()
	var err error
	if b.read {
		if failed == nil && (n > 0 || datagram) {
			err = b.stream().received(b.buf[:n], datagram)
		}
	} else if failed == nil && n != len(b.buf) {
		err = fmt.Errorf("a write returned with %d of %d bytes and no error", n, len(b.buf))
	}
	if err == nil {
		err = b.intact(n, r.env.Invariants)
	}
	b.release(failed != nil)
	if err == nil && failed == nil && !b.read && s.d.open {
		err = s.d.end.settleWritten()
	}
	return err
}

// intact looks that nothing around the buffer was touched, and nothing in it that no bytes came for.
func (b *lend) intact(n int, poisoned bool) error {
	if b.whole == nil {
		return nil
	}
	untouched := func(part []byte, where string) error {
		if i := slices.IndexFunc(part, func(c byte) bool { return c != 0xa5 }); i >= 0 {
			return fmt.Errorf("a byte was written %s the buffer", where)
		}
		return nil
	}
	err := errors.Join(untouched(b.whole[:guard], "before"), untouched(b.whole[len(b.whole)-guard:], "behind"))
	if b.read && !poisoned {
		err = errors.Join(err, untouched(b.buf[n:], "beyond the count in"))
	}
	return err
}

// release gives the buffer back to where it came from.
func (b *lend) release(failed bool) {
	st := b.stream()
	st.mu.Lock()
	st.lent--
	if failed && !b.read {
		st.vague = true // how much of it was sent, nobody says
		if k := b.s.d.end.kind; k.datagram() && len(st.sizes) > 0 {
			st.sizes = st.sizes[:len(st.sizes)-1]
			st.wrote -= int64(len(b.buf))
		}
	}
	st.mu.Unlock()
	if b.arena != nil && b.arena.a != nil {
		b.arena.a.Put(b.buf)
	}
}

// dropLends takes back what a closed poller had: it is the caller's again, without an event.
func (r *run) dropLends(p *poller) error {
	var errs []error
	for _, name := range sortedKeys(r.sources) {
		s := r.sources[name]
		if s.p != p {
			continue
		}
		for _, b := range append(s.reads, s.writes...) {
			errs = append(errs, b.intact(len(b.buf), true))
			b.release(true)
		}
		s.reads, s.writes = nil, nil
	}
	return errors.Join(errs...)
}
