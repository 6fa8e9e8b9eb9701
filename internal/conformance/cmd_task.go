package conformance

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"gopoll.dev/gopoll"
)

// task is a command in the background.
type task struct {
	name  string
	p     *poller
	w     waiting
	done  chan struct{} // closed when it has returned
	letGo func()        // makes it return at the end of a script that left it

	goroutine string // its number, as stack dumps have it
	thread    int    // its thread, which it keeps to itself

	// Results, to be read when done is closed.
	events []gopoll.Event
	took   time.Duration
	err    error

	loop *loop
}

// loop is a background iteration over Events whose body does what the script says: it hands an event over and
// waits to be told how to go on.
type loop struct {
	out    chan gopoll.Event
	next   chan func() bool // run in the body; its result says whether the loop goes on
	held   bool             // the body has handed over an event and waits
	cancel context.CancelFunc
}

func init() {
	register("start T wait|events|read|close-poller ...", "", compileStart)
	register("blocked T...", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(1, -1)
		if err != nil {
			return nil, err
		}
		c.expects = true
		return func(r *run) error {
			for _, name := range args {
				t, err := r.task(name)
				if err != nil {
					return err
				}
				if err := t.untilBlocked(); err != nil {
					return err
				}
			}
			return nil
		}, c.known(aTask, args...)
	})
	register("interrupt T [times=N]", "", func(c *compiler, l *line) (func(*run) error, error) {
		v, args := option(l.words[1:], "times")
		times, err := 1, error(nil)
		if v != "" {
			times, err = number(v)
		}
		if err != nil || len(args) != 1 {
			return nil, l.usage()
		}
		return func(r *run) error {
			t, err := r.task(args[0])
			for i := 0; i < times && err == nil; i++ {
				if err = t.untilBlocked(); err == nil {
					err = interruptThread(t.thread)
				}
				select {
				case <-t.done:
					return nil // what it returned with, its join says
				default:
				}
			}
			return err
		}, c.known(aTask, args[0])
	})
	register("join T|first T...|rest [none|woken|ended] [-> error]", "block want", compileJoin)
	register("next T [woken] [one NAME OTHER] [-> error]", "block want", compileNext)
	register("cancel T", "", loopCommand(func(r *run, t *task) error {
		t.loop.cancel()
		return nil
	}))
	register("leave T", "", loopCommand(func(r *run, t *task) error {
		if !t.loop.held {
			return fmt.Errorf("the loop's body is not running: next comes first")
		}
		t.loop.held = false
		t.loop.next <- func() bool { return false }
		return nil
	}))
	register("inside T COMMAND ...", "block want", func(c *compiler, l *line) (func(*run) error, error) {
		if len(l.words) < 3 {
			return nil, l.usage()
		}
		inner := *l
		inner.words = l.words[2:]
		do, err := c.one(&inner)
		if err != nil {
			return nil, err
		}
		return func(r *run) error {
			t, err := r.task(l.words[1])
			if err != nil {
				return err
			}
			if t.loop == nil || !t.loop.held {
				return fmt.Errorf("the loop's body is not running: next comes first")
			}
			result := make(chan error)
			t.loop.next <- func() bool { result <- do(r); return true }
			return <-result
		}, c.known(aTask, l.words[1])
	})
}

func loopCommand(do func(r *run, t *task) error) func(c *compiler, l *line) (func(*run) error, error) {
	return func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(1, 1)
		if err != nil {
			return nil, err
		}
		return func(r *run) error {
			t, err := r.task(args[0])
			if err == nil && t.loop == nil {
				err = fmt.Errorf("%s is no events loop", t.name)
			}
			if err != nil {
				return err
			}
			return do(r, t)
		}, c.known(aTask, args[0])
	}
}

func compileStart(c *compiler, l *line) (func(*run) error, error) {
	if len(l.words) < 3 {
		return nil, l.usage()
	}
	name, what, words := l.words[1], l.words[2], l.words[3:]
	if err := c.define(aTask, name); err != nil {
		return nil, err
	}
	switch what {
	case "wait":
		w, err := c.waiting(l, words)
		if err != nil || w.none || w.woken || w.once || w.ordered || w.turns > 0 {
			return nil, l.errorf("start T wait takes @POLLER, cap and timeout; what comes of it stands with join")
		}
		if !w.given {
			w.timeout = -1
		}
		return func(r *run) error {
			p := r.pollers[w.on]
			return r.start(&task{name: name, p: p, w: w}, func(t *task) {
				events := make([]gopoll.Event, w.cap)
				start := time.Now()
				n, err := p.p.Wait(events, w.timeout)
				t.took, t.err = time.Since(start), err
				t.events = events[:n]
			})
		}, nil
	case "events":
		on, words, err := c.poller(words)
		if err != nil || len(words) > 0 {
			return nil, l.usage()
		}
		return func(r *run) error {
			p := r.pollers[on]
			ctx, cancel := context.WithCancel(context.Background())
			lp := &loop{out: make(chan gopoll.Event), next: make(chan func() bool), cancel: cancel}
			t := &task{name: name, p: p, loop: lp}
			t.letGo = func() {
				cancel()
				if lp.held {
					lp.held = false
					lp.next <- func() bool { return false }
				}
				go func() { // the body may be about to hand over an event that nobody waits for
					select {
					case <-lp.out:
						lp.next <- func() bool { return false }
					case <-t.done:
					}
				}()
			}
			return r.start(t, func(t *task) {
				defer cancel()
				for ev, err := range p.p.Events(ctx) {
					if err != nil {
						t.err = err
						continue // it must be the last
					}
					if t.err != nil {
						t.err = fmt.Errorf("events after the error %w", t.err)
					}
					lp.out <- ev
					for {
						do := <-lp.next
						if do == nil {
							break
						}
						if !do() {
							return
						}
					}
				}
			})
		}, nil
	case "read":
		if len(words) != 2 {
			return nil, l.usage()
		}
		do, err := readStep(words)
		if err != nil {
			return nil, err
		}
		return func(r *run) error {
			d, err := r.openDesc(words[0])
			if err != nil {
				return err
			}
			d.end.in.mu.Lock()
			d.end.in.reader = true
			d.end.in.mu.Unlock()
			return r.start(&task{name: name}, func(t *task) {
				t.err = do(d)
				d.end.in.mu.Lock()
				d.end.in.reader = false
				d.end.in.mu.Unlock()
			})
		}, c.known(aDescriptor, words[0])
	case "close-poller":
		on, words, err := c.poller(words)
		if err != nil || len(words) > 0 {
			return nil, l.usage()
		}
		return func(r *run) error {
			p := r.pollers[on]
			return r.start(&task{name: name, p: p}, func(t *task) { t.err = p.p.Close() })
		}, nil
	}
	return nil, l.usage()
}

// start runs the task on a thread of its own, so that the thread can be looked at and interrupted.
func (r *run) start(t *task, do func(*task)) error {
	if r.tasks[t.name] != nil {
		return fmt.Errorf("%s is started already: join it before the name is used again", t.name)
	}
	t.done = make(chan struct{})
	r.tasks[t.name] = t
	begun := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(t.done)
		t.goroutine = goroutine()
		t.thread = threadID()
		close(begun)
		do(t)
	}()
	<-begun
	return nil
}

// wait waits until the task has returned.
func (t *task) wait() error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.done:
		return nil
	case <-timer.C:
		return fmt.Errorf("%s did not return in %v\n%s", t.name, patience, stacks())
	}
}

// goroutine is the number of the calling goroutine.
func goroutine() string {
	buf := make([]byte, 64)
	fields := bytes.Fields(buf[:runtime.Stack(buf, false)])
	return string(fields[1])
}

// untilBlocked returns when the task sleeps inside a method of the poller: its goroutine is seen there, not
// running, and its thread sleeps, in the same system call and without having been woken, in several looks one
// after the other. Where a system doesn't show its threads, the goroutine alone has to do.
func (t *task) untilBlocked() error {
	if t.loop != nil && t.loop.held {
		return fmt.Errorf("%s is in the body of its loop", t.name)
	}
	same, mark := 0, ""
	for deadline := time.Now().Add(patience); ; pause() {
		select {
		case <-t.done:
			if t.err != nil {
				return fmt.Errorf("expected: %s is blocked\ncame:     it has returned with %v", t.name, t.err)
			}
			return fmt.Errorf("expected: %s is blocked\ncame:     it has returned with %d events", t.name, len(t.events))
		default:
		}
		now := ""
		if t.sleepsInPoller() {
			now = threadAsleep(t.thread)
		}
		switch {
		case now == "":
			same = 0
		case now == mark:
			same++
		default:
			same = 1
		}
		mark = now
		if same == 3 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("expected: %s is blocked\ncame:     it never slept in %v\n%s", t.name, patience, stacks())
		}
	}
}

// sleepsInPoller looks at the goroutine in a dump of all.
func (t *task) sleepsInPoller() bool {
	for _, g := range strings.Split(stacks(), "\n\n") {
		rest, ok := strings.CutPrefix(g, "goroutine "+t.goroutine+" ")
		if !ok {
			continue
		}
		head, frames, _ := strings.Cut(rest, "\n")
		running := strings.Contains(head, "[running") || strings.Contains(head, "[runnable")
		return !running && strings.Contains(frames, "gopoll.(*Poller)")
	}
	return false
}

func compileJoin(c *compiler, l *line) (func(*run) error, error) {
	none, words := flag(l.words[1:], "none")
	woken, words := flag(words, "woken")
	ended, words := flag(words, "ended")
	want, err := c.expected(l.block)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, l.usage()
	}
	says := 0
	for _, b := range []bool{none, woken, ended, l.want != "", len(want) > 0} {
		if b {
			says++
		}
	}
	if says != 1 {
		return nil, l.errorf("a join says what came of it: ended, none, woken, -> error, or indented event lines")
	}
	c.expects = true
	check := func(r *run, t *task) error {
		if t.w.on == "" { // no wait
			if none || woken || len(want) > 0 {
				return fmt.Errorf("%s is no wait: its join is ended, or -> error", t.name)
			}
			if t.p != nil && t.loop == nil && t.err == nil { // close-poller
				t.p.done = true
				if err := r.dropLends(t.p); err != nil {
					return err
				}
			}
			return checkError(t.err, l.want)
		}
		if ended {
			return fmt.Errorf("%s is a wait: its join is none, woken, -> error, or indented event lines", t.name)
		}
		return r.judge(t, none, woken, l.want, here(want, r.env))
	}
	switch {
	case words[0] == "first" && len(words) > 2:
		return func(r *run) error {
			deadline := time.Now().Add(patience)
			for {
				running := false
				for _, name := range words[1:] {
					t := r.tasks[name]
					if t == nil {
						continue // joined before
					}
					running = true
					select {
					case <-t.done:
						delete(r.tasks, name)
						return check(r, t)
					default:
					}
				}
				if !running {
					return fmt.Errorf("all of %s have been joined", strings.Join(words[1:], ", "))
				}
				if time.Now().After(deadline) {
					return fmt.Errorf("none of %s returned in %v\n%s", strings.Join(words[1:], ", "), patience, stacks())
				}
				pause()
			}
		}, c.known(aTask, words[1:]...)
	case words[0] == "rest" && len(words) == 1:
		return func(r *run) error {
			for _, name := range sortedKeys(r.tasks) {
				t := r.tasks[name]
				if err := t.wait(); err != nil {
					return err
				}
				delete(r.tasks, name)
				if err := check(r, t); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return nil
		}, nil
	case len(words) == 1:
		return func(r *run) error {
			t, err := r.task(words[0])
			if err != nil {
				return err
			}
			if err := t.wait(); err != nil {
				return err
			}
			delete(r.tasks, words[0])
			return check(r, t)
		}, c.known(aTask, words[0])
	}
	return nil, l.usage()
}

// judge compares what a background Wait brought, which was one Wait.
func (r *run) judge(t *task, none, woken bool, fails string, want []expected) error {
	if fails != "" {
		return checkTyped(t.err, fails, "wait", gopoll.NoFd)
	}
	if t.err != nil {
		return t.err
	}
	if err := t.p.plausible(t.events); err != nil {
		return err
	}
	came := []string{}
	if len(t.events) > 0 {
		came = append(came, t.p.describeAll(t.events))
	}
	if none || woken {
		early := t.w.timeout < 0 || t.took < t.w.timeout
		switch {
		case len(t.events) > 0:
			return differ(nil, came, "the Wait brought events")
		case none && early:
			return fmt.Errorf("the Wait with timeout %v returned nothing after %v", t.w.timeout, t.took)
		case woken && !early:
			return fmt.Errorf("the Wait ended by its timeout of %v and not by the Wake", t.w.timeout)
		}
		t.p.woken = false
		return nil
	}
	c := collector{r: r, p: t.p, want: want, came: came, done: make([]bool, len(want)), parts: make([]gopoll.Readiness, len(want))}
	if err := c.take(t.events); err != nil {
		return err
	}
	if !c.complete() {
		return differ(want, came, "the Wait did not bring all of it")
	}
	return nil
}

func compileNext(c *compiler, l *line) (func(*run) error, error) {
	woken, words := flag(l.words[1:], "woken")
	want, err := c.expected(l.block)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 || (len(want) > 0) == (woken || l.want != "") || woken && l.want != "" {
		return nil, l.errorf("a next says what comes: woken, -> error, or indented event lines")
	}
	var bind []string
	if len(words) == 4 && words[1] == "one" && len(want) == 2 {
		bind = words[2:]
		for _, n := range bind {
			if err := c.define(aDescriptor, n); err != nil {
				return nil, err
			}
			c.set(aSource, n+"@p")
			c.keys[n] = map[uint64]bool{}
			for _, x := range want {
				c.keys[n][x.key] = true
			}
		}
	} else if len(words) != 1 || len(want) > 1 {
		return nil, l.errorf("next brings one event: one line, or two with next T one NAME OTHER")
	}
	c.expects = true
	return func(r *run) error {
		t, err := r.task(words[0])
		if err != nil {
			return err
		}
		ev, over, err := t.advance()
		if err != nil {
			return err
		}
		if over {
			delete(r.tasks, words[0])
			if l.want == "" {
				return fmt.Errorf("the loop is over: %v", t.err)
			}
			return checkError(t.err, l.want)
		}
		came := []string{t.p.describe(ev)}
		if woken {
			if ev != (gopoll.Event{}) {
				return differ(nil, came, "the loop brought an event, expected the one of a Wake")
			}
			t.p.woken = false
			return nil
		}
		for i, x := range here(want, r.env) {
			if !x.matches(ev) {
				continue
			}
			if ev.Ready&gopoll.Returned != 0 {
				return r.returned(t.p, ev)
			}
			if bind != nil {
				other := want[1-i]
				r.descs[bind[0]], r.descs[bind[1]] = r.descs[x.name], r.descs[other.name]
				r.sources[bind[0]+"@p"], r.sources[bind[1]+"@p"] = r.sources[x.name+"@p"], r.sources[other.name+"@p"]
			}
			return nil
		}
		return differ(want, came, "the loop brought another event")
	}, c.known(aTask, words[0])
}

// advance lets the body of the loop end and waits for the next event, or for the end of the loop.
func (t *task) advance() (ev gopoll.Event, over bool, err error) {
	if t.loop == nil {
		return ev, false, fmt.Errorf("%s is no events loop", t.name)
	}
	if t.loop.held {
		t.loop.held = false
		t.loop.next <- nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case ev = <-t.loop.out:
		t.loop.held = true
		return ev, false, nil
	case <-t.done:
		return ev, true, nil
	case <-timer.C:
		return ev, false, fmt.Errorf("no event in %v\n%s", patience, stacks())
	}
}
