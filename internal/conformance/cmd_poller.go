package conformance

import (
	"fmt"
	"strings"
	"sync"

	"gopoll.dev/gopoll"
)

func init() {
	register("poller @NAME [lend-count=N] [lend-bytes=N]", "", func(c *compiler, l *line) (func(*run) error, error) {
		count, words := option(l.words[1:], "lend-count")
		bytes, words := option(words, "lend-bytes")
		if len(words) != 1 || !strings.HasPrefix(words[0], "@") {
			return nil, l.usage()
		}
		limits := [2]int{1 << 20, 1 << 30}
		for i, s := range []string{count, bytes} {
			if s != "" {
				n, err := number(s)
				if err != nil {
					return nil, err
				}
				limits[i] = n
			}
		}
		name := words[0][1:]
		c.set(aPoller, name)
		c.set(aSource, "zero@"+name)
		return func(r *run) error {
			if count == "" && bytes == "" {
				return r.makePoller(name)
			}
			return r.makePoller(name, gopoll.WithLendLimit(limits[0], int64(limits[1])))
		}, nil
	})
	register("add A[@POLLER] KEY INTEREST... MODE [-> error]", "want", func(c *compiler, l *line) (func(*run) error, error) {
		return c.add(l, false)
	})
	register("addconn A[@POLLER] KEY INTEREST... MODE [-> error]", "want", func(c *compiler, l *line) (func(*run) error, error) {
		return c.add(l, true)
	})
	register("modify A[@POLLER] KEY INTEREST... MODE [-> error]", "want", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(4, -1)
		if err != nil {
			return nil, err
		}
		name, err := c.source(args[0])
		if err != nil {
			return nil, err
		}
		reg, err := c.registration(name, args[1:])
		if err != nil {
			return nil, err
		}
		return func(r *run) error {
			s, err := r.source(name)
			if err != nil {
				return err
			}
			return s.modified(reg, s.s.Modify(reg.key, reg.interest, reg.mode), l.want)
		}, nil
	})
	register("rearm A[@POLLER] DIRECTION... [-> error]", "want", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, -1)
		if err != nil {
			return nil, err
		}
		name, err := c.source(args[0])
		if err != nil {
			return nil, err
		}
		dir, err := interest(args[1:])
		if err != nil {
			return nil, err
		}
		return func(r *run) error {
			s, err := r.source(name)
			if err != nil {
				return err
			}
			return s.check(s.s.Rearm(dir), l.want, "rearm")
		}, nil
	})
	sourceCommand("delete A[@POLLER] [-> error]", "delete", gopoll.Source.Delete)
	register("keep A[@POLLER] OLD", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 2)
		if err != nil {
			return nil, err
		}
		name, err := c.source(args[0])
		if err != nil {
			return nil, err
		}
		if err := c.define(aSource, args[1]); err != nil {
			return nil, err
		}
		old := sourceName(args[1])
		c.set(aSource, old)
		return func(r *run) error {
			s, err := r.source(name)
			if err != nil {
				return err
			}
			copied := *s
			copied.reads, copied.writes = nil, nil
			r.sources[old] = &copied
			return nil
		}, nil
	})
	register("apply [@POLLER] [-> error]", "block want", compileApply)
	register("wake [@POLLER] [times=N] [from=N] [-> error]", "want", func(c *compiler, l *line) (func(*run) error, error) {
		name, words, err := c.poller(l.words[1:])
		if err != nil {
			return nil, err
		}
		counts := [2]int{1, 1}
		for i, opt := range []string{"times", "from"} {
			var v string
			if v, words = option(words, opt); v != "" {
				if counts[i], err = number(v); err != nil || counts[i] == 0 {
					return nil, l.usage()
				}
			}
		}
		if len(words) > 0 {
			return nil, l.usage()
		}
		return func(r *run) error {
			p := r.pollers[name]
			errs := make([]error, counts[1])
			var all sync.WaitGroup
			for i := range errs {
				all.Go(func() {
					for range counts[0] {
						if err := checkTyped(p.p.Wake(), l.want, "wake", gopoll.NoFd); err != nil {
							errs[i] = err
						}
					}
				})
			}
			all.Wait()
			p.woken = true
			for _, err := range errs {
				if err != nil {
					return err
				}
			}
			return nil
		}, nil
	})
	register("close-poller [@POLLER] [-> error]", "want", func(c *compiler, l *line) (func(*run) error, error) {
		name, words, err := c.poller(l.words[1:])
		if err != nil || len(words) > 0 {
			return nil, l.usage()
		}
		return func(r *run) error { return r.closePoller(r.pollers[name], l.want) }, nil
	})
}

func (r *run) closePoller(p *poller, want string) error {
	if bad := checkTyped(p.p.Close(), want, "close", gopoll.NoFd); bad != nil {
		return bad
	}
	p.done = true
	return r.dropLends(p)
}

func (c *compiler) add(l *line, conn bool) (func(*run) error, error) {
	args, err := l.args(4, -1)
	if err != nil {
		return nil, err
	}
	name := sourceName(args[0])
	base, on, _ := strings.Cut(name, "@")
	if err := c.known(aDescriptor, base); err != nil {
		return nil, err
	}
	if err := c.known(aPoller, on); err != nil {
		return nil, err
	}
	reg, err := c.registration(name, args[1:])
	if err != nil {
		return nil, err
	}
	c.set(aSource, name)
	return func(r *run) error {
		d, err := r.desc(base)
		if err != nil {
			return err
		}
		p := r.pollers[on]
		var s gopoll.Source
		fd := d.fd
		if !conn {
			s, err = p.p.Add(d.fd, reg.key, reg.interest, reg.mode)
		} else {
			if d.owner == nil {
				return fmt.Errorf("%s is no connection of another package", base)
			}
			s, err = p.p.AddConn(d.owner, reg.key, reg.interest, reg.mode)
			if !d.open {
				fd = gopoll.NoFd // there is none any more to be named
			}
		}
		return r.added(name, s, p, d, reg, checkTyped(err, l.want, "add", fd), l.want)
	}, nil
}

// added notes the result of an add.
func (r *run) added(name string, s gopoll.Source, p *poller, d *desc, reg registration, bad error, want string) error {
	if bad != nil {
		return bad
	}
	if want != "" {
		if s != (gopoll.Source{}) {
			return fmt.Errorf("a failed add returned a source")
		}
		return nil
	}
	src := &source{name: name, s: s, p: p, d: d, registration: reg}
	if old := r.sources[name]; old != nil { // what was lent to the registration before still returns
		src.reads, src.writes = old.reads, old.writes
		if len(old.reads)+len(old.writes) > 0 && old.key != reg.key {
			src.reads, src.writes = nil, nil
		}
	}
	r.sources[name] = src
	p.keys[reg.key] = src
	return nil
}

// check is checkTyped for an operation on the source. A handle whose registration is over has no descriptor to
// name any more.
func (s *source) check(err error, want, op string) error {
	var fd uintptr = gopoll.NoFd
	if s.d != nil {
		fd = s.d.fd
	}
	if err == nil || want == "" {
		return checkError(err, want)
	}
	bad := checkTyped(err, want, op, fd)
	if bad != nil && checkTyped(err, want, op, gopoll.NoFd) == nil && checkError(err, "notexist|closed") == nil {
		return nil
	}
	return bad
}

// modified notes the result of a modify.
func (s *source) modified(reg registration, err error, want string) error {
	if bad := s.check(err, want, "modify"); bad != nil || want != "" {
		return bad
	}
	s.registration = reg
	s.p.keys[reg.key] = s
	return nil
}

// change is one line of an apply.
type change struct {
	l    *line
	op   gopoll.Op
	name string // of the source
	reg  registration
}

func compileApply(c *compiler, l *line) (func(*run) error, error) {
	on, words, err := c.poller(l.words[1:])
	if err != nil || len(words) > 0 {
		return nil, l.usage()
	}
	var changes []change
	for _, in := range l.block {
		ch, err := c.change(in, on)
		if err != nil {
			if _, ok := err.(*lineError); !ok {
				err = in.errorf("%s", err)
			}
			return nil, err
		}
		changes = append(changes, ch)
	}
	return func(r *run) error {
		p := r.pollers[on]
		var batch []gopoll.Change
		var lines []change
		for _, ch := range changes {
			if !ch.l.applies(r.env) {
				continue
			}
			native := gopoll.Change{Op: ch.op, Key: ch.reg.key, Interest: ch.reg.interest, Mode: ch.reg.mode}
			if ch.op == gopoll.OpAdd {
				d, err := r.desc(strings.TrimSuffix(ch.name, "@"+on))
				if err != nil {
					return err
				}
				native.Fd = d.fd
			} else {
				s, err := r.source(ch.name)
				if err != nil {
					return err
				}
				native.Source = s.s
			}
			batch = append(batch, native)
			lines = append(lines, ch)
		}
		all := p.p.Apply(batch)
		var first error
		for i, ch := range lines {
			err := batch[i].Err
			if first == nil {
				first = err
			}
			if bad := r.applied(ch, batch[i], p, err); bad != nil {
				return ch.l.errorf("%s", bad)
			}
		}
		if all != first {
			return fmt.Errorf("expected: Apply returns the first error of its changes, %v\ncame:     %v", first, all)
		}
		return checkError(all, l.want)
	}, nil
}

func (r *run) applied(ch change, done gopoll.Change, p *poller, err error) error {
	if ch.op == gopoll.OpAdd {
		d := r.descs[strings.TrimSuffix(ch.name, "@"+p.name)]
		return r.added(ch.name, done.Source, p, d, ch.reg, checkTyped(err, ch.l.want, "add", d.fd), ch.l.want)
	}
	s := r.sources[ch.name]
	if ch.op == gopoll.OpModify {
		return s.modified(ch.reg, err, ch.l.want)
	}
	return s.check(err, ch.l.want, "delete")
}

// change reads one line of an apply.
func (c *compiler) change(l *line, on string) (ch change, err error) {
	ch.l = l
	ops := map[string]gopoll.Op{"add": gopoll.OpAdd, "modify": gopoll.OpModify, "delete": gopoll.OpDelete}
	op, ok := ops[l.words[0]]
	if !ok || len(l.words) < 2 || len(l.block) > 0 {
		return ch, fmt.Errorf("a line of apply is add, modify or delete")
	}
	ch.op = op
	ch.name = l.words[1]
	if !strings.Contains(ch.name, "@") {
		ch.name += "@" + on
	}
	if op == gopoll.OpAdd {
		if err := c.known(aDescriptor, strings.TrimSuffix(ch.name, "@"+on)); err != nil {
			return ch, err
		}
		c.set(aSource, ch.name)
	} else if err := c.known(aSource, ch.name); err != nil {
		return ch, err
	}
	if op == gopoll.OpDelete {
		if len(l.words) != 2 {
			return ch, fmt.Errorf("usage: delete A")
		}
		return ch, nil
	}
	ch.reg, err = c.registration(ch.name, l.words[2:])
	return ch, err
}

// sourceCommand is a command that calls a method of one source.
func sourceCommand(usage, op string, call func(gopoll.Source) error) {
	register(usage, "want", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(1, 1)
		if err != nil {
			return nil, err
		}
		name, err := c.source(args[0])
		if err != nil {
			return nil, err
		}
		return func(r *run) error {
			s, err := r.source(name)
			if err != nil {
				return err
			}
			return s.check(call(s.s), l.want, op)
		}, nil
	})
}
