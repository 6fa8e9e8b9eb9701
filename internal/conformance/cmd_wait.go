package conformance

import (
	"fmt"
	"slices"
	"time"

	"gopoll.dev/gopoll"
)

// waiting is what the words of a wait ask for.
type waiting struct {
	on      string
	none    bool // nothing is ready
	woken   bool // it ends without an event because of a Wake
	once    bool // all that is expected comes in one Wait
	ordered bool // in the order of the lines
	cap     int
	timeout time.Duration
	given   bool // a timeout was given
	turns   int  // with cap: so many rounds in which each source has its turn
}

const usualCapacity = 1024

func (c *compiler) waiting(l *line, words []string) (w waiting, err error) {
	if w.on, words, err = c.poller(words); err != nil {
		return w, err
	}
	w.none, words = flag(words, "none")
	w.woken, words = flag(words, "woken")
	w.once, words = flag(words, "once")
	w.ordered, words = flag(words, "ordered")
	capacity, words := option(words, "cap")
	timeout, words := option(words, "timeout")
	turns, words := option(words, "turns")
	w.cap, w.timeout = usualCapacity, patience
	if capacity != "" {
		if w.cap, err = number(capacity); err != nil {
			return w, err
		}
	}
	if timeout != "" {
		w.given = true
		if w.timeout, err = span(timeout); err != nil {
			return w, err
		}
	}
	if turns != "" {
		if w.turns, err = number(turns); err != nil || w.turns == 0 || capacity == "" {
			return w, l.usage()
		}
	}
	if len(words) > 0 {
		return w, l.usage()
	}
	return w, nil
}

func init() {
	register("wait [@POLLER] [none|woken] [once] [ordered] [cap=N] [turns=N] [timeout=T] [-> error]", "block want",
		func(c *compiler, l *line) (func(*run) error, error) {
			w, err := c.waiting(l, l.words[1:])
			if err != nil {
				return nil, err
			}
			want, err := c.expected(l.block)
			if err != nil {
				return nil, err
			}
			says := 0
			for _, b := range []bool{w.none, w.woken, l.want != "", len(want) > 0} {
				if b {
					says++
				}
			}
			if says != 1 {
				return nil, l.errorf("a wait says what comes of it: none, woken, -> error, or indented event lines")
			}
			c.expects = true
			return func(r *run) error {
				p := r.pollers[w.on]
				switch {
				case l.want != "":
					_, err := p.p.Wait(make([]gopoll.Event, w.cap), w.timeout)
					return checkTyped(err, l.want, "wait", gopoll.NoFd)
				case w.none:
					return r.waitNone(p, w)
				case w.woken:
					return r.waitWoken(p, w)
				case w.turns > 0:
					return r.waitTurns(p, w, here(want, r.env))
				}
				return r.collect(p, w, here(want, r.env))
			}, nil
		})
}

// wait is one Wait, with the rules that hold for every one of them.
func (r *run) wait(p *poller, capacity int, timeout time.Duration) ([]gopoll.Event, time.Duration, error) {
	events := make([]gopoll.Event, capacity)
	start := time.Now()
	n, err := p.p.Wait(events, timeout)
	took := time.Since(start)
	if err != nil {
		return nil, took, err
	}
	if err := p.plausible(events[:n]); err != nil {
		return nil, took, err
	}
	return events[:n], took, nil
}

// plausible checks what no Wait may do, whatever is expected of it.
func (p *poller) plausible(events []gopoll.Event) error {
	seen := map[uint64]bool{}
	for _, ev := range events {
		if ev.Ready&gopoll.Returned != 0 {
			continue
		}
		if seen[ev.Key] {
			return fmt.Errorf("two events of readiness for one source in one Wait:\n    %s", p.describeAll(events))
		}
		seen[ev.Key] = true
		if ev.Ready&^hints == 0 {
			return fmt.Errorf("an event without a direction:\n    %s", p.describe(ev))
		}
	}
	return nil
}

func (p *poller) describeAll(events []gopoll.Event) (s string) {
	if len(events) == 0 {
		return "no event"
	}
	for i, ev := range events {
		if i > 0 {
			s += ", "
		}
		s += p.describe(ev)
	}
	return s
}

// waitNone proves that nothing is ready. What could be on its way has arrived: every command that moves something
// returns only then. The second, short wait takes the blocking path; where completions come from another thread
// it gives them time to be found out.
func (r *run) waitNone(p *poller, w waiting) error {
	timeouts := []time.Duration{0, time.Millisecond}
	if r.env.Backend == "iocp" {
		timeouts[1] = 20 * time.Millisecond
	}
	if w.given {
		timeouts = []time.Duration{w.timeout}
	}
	for _, d := range timeouts {
		events, took, err := r.wait(p, w.cap, d)
		if err != nil {
			return err
		}
		if len(events) > 0 {
			return differ(nil, []string{p.describeAll(events)}, fmt.Sprintf("a Wait with timeout %v returned", d))
		}
		if took < d && !p.woken {
			return fmt.Errorf("a Wait with timeout %v returned nothing after %v", d, took)
		}
		p.woken = false
	}
	return nil
}

func (r *run) waitWoken(p *poller, w waiting) error {
	timeout := w.timeout
	if !w.given {
		timeout = -1
	}
	events, took, err := r.wait(p, w.cap, timeout)
	if err != nil {
		return err
	}
	if len(events) > 0 {
		return differ(nil, []string{p.describeAll(events)}, "the Wake came with events")
	}
	if timeout > 0 && took >= timeout {
		return fmt.Errorf("the Wait ended by its timeout of %v and not by the Wake", timeout)
	}
	p.woken = false
	return nil
}

// collect waits until exactly the expected events have come, and proves that nothing else is there.
//
// What is expected may take several Waits, because what happens on two descriptors need not reach the poller at
// one time. What it may not do: report anything twice that should come once, or anything else at all.
func (r *run) collect(p *poller, w waiting, want []expected) error {
	c := collector{r: r, p: p, want: want, ordered: w.ordered, done: make([]bool, len(want)), parts: make([]gopoll.Readiness, len(want))}
	deadline := time.Now().Add(patience)
	for waits := 1; waits == 1 || !c.complete(); waits++ {
		timeout := w.timeout
		if !w.given {
			timeout = max(time.Until(deadline), 0)
		}
		if c.onlyOptional() {
			timeout = 0
		}
		events, took, err := r.wait(p, w.cap, timeout)
		if err != nil {
			return differ(want, c.came, fmt.Sprintf("Wait %d failed: %v", waits, err))
		}
		c.came = append(c.came, fmt.Sprintf("in Wait %d: %s", waits, p.describeAll(events)))
		if len(events) == 0 {
			if c.onlyOptional() {
				return nil
			}
			if p.woken && (timeout < 0 || took < timeout) {
				p.woken = false
				continue
			}
			why := fmt.Sprintf("Wait %d with timeout %v returned nothing after %v", waits, timeout, took)
			if !w.given && took >= timeout {
				return fmt.Errorf("%w\n%s", differ(want, c.came, why), stacks())
			}
			return differ(want, c.came, why)
		}
		if err := c.take(events); err != nil {
			return err
		}
		if w.once && !c.complete() {
			return differ(want, c.came, "one Wait did not bring all of it")
		}
		if w.cap != usualCapacity && len(events) > w.cap {
			return differ(want, c.came, "more events than there was room for")
		}
	}
	if w.cap != usualCapacity || w.given {
		return nil // another Wait would change whose turn it is
	}
	events, _, err := r.wait(p, usualCapacity, 0)
	if err != nil {
		return err
	}
	c.came = append(c.came, fmt.Sprintf("after that: %s", p.describeAll(events)))
	return c.take(events)
}

// collector compares what comes with what is expected.
type collector struct {
	r       *run
	p       *poller
	want    []expected
	ordered bool
	done    []bool
	parts   []gopoll.Readiness // of edge sources: bits that have come so far
	came    []string
}

func (c *collector) complete() bool {
	for i := range c.want {
		if !c.done[i] && !c.want[i].optional {
			return false
		}
	}
	return true
}

func (c *collector) onlyOptional() bool {
	return !slices.ContainsFunc(c.want, func(x expected) bool { return !x.optional })
}

func (c *collector) take(events []gopoll.Event) error {
	for _, ev := range events {
		if why := c.one(ev); why != "" {
			return differ(c.want, c.came, why+": "+c.p.describe(ev))
		}
		if ev.Ready&gopoll.Returned != 0 {
			if err := c.r.returned(c.p, ev); err != nil {
				return err
			}
		}
	}
	return nil
}

// one finds the line that an event is for; the result says what is wrong with it, if anything is.
func (c *collector) one(ev gopoll.Event) string {
	for i := range c.want {
		if x := &c.want[i]; !c.done[i] && x.matches(ev) {
			if c.ordered && slices.Contains(c.done[:i], false) {
				return "before its turn"
			}
			c.done[i] = true
			return ""
		}
	}
	if ev.Ready&gopoll.Returned != 0 {
		return "not expected"
	}
	for i := range c.want {
		x := &c.want[i]
		if !x.same(ev) {
			continue
		}
		mode := gopoll.Level
		if s := c.p.keys[ev.Key]; s != nil {
			mode = s.mode
		}
		got := ev.Ready &^ hints &^ x.may
		switch {
		case mode == gopoll.Level && c.done[i] && got == x.bits:
			return "" // it holds still
		case mode == gopoll.Edge && !c.done[i] && got&^x.bits == 0 && ev.Ready&x.mustNot == 0:
			c.parts[i] |= ev.Ready
			if whole := c.parts[i]; whole&^hints&^x.may == x.bits && whole&x.must == x.must {
				c.done[i] = true
			}
			return ""
		case mode == gopoll.Level && c.r.env.Backend == "iocp" && !c.done[i] && got&^x.bits == 0:
			// A poll of AFD tells what was ready when it ended, which may be earlier than what the script did last.
			return ""
		case c.done[i]:
			return "reported again"
		}
		return "other than expected"
	}
	return "not expected"
}

// waitTurns makes as many Waits as there are sources, and all over again: each must bring its capacity, and each
// round every source once.
func (r *run) waitTurns(p *poller, w waiting, want []expected) error {
	if w.cap == 0 || len(want)%w.cap != 0 {
		return fmt.Errorf("%d events don't make full Waits of %d", len(want), w.cap)
	}
	for round := range w.turns {
		c := collector{r: r, p: p, want: want, done: make([]bool, len(want)), parts: make([]gopoll.Readiness, len(want))}
		for i := range len(want) / w.cap {
			events, _, err := r.wait(p, w.cap, patience)
			if err != nil {
				return err
			}
			c.came = append(c.came, fmt.Sprintf("in Wait %d of round %d: %s", i+1, round+1, p.describeAll(events)))
			if len(events) != w.cap {
				return differ(want, c.came, fmt.Sprintf("%d events with room for %d", len(events), w.cap))
			}
			for _, ev := range events {
				if slices.ContainsFunc(want, func(x expected) bool { return x.same(ev) }) && c.repeated(ev) {
					return differ(want, c.came, "a second turn before others had one: "+p.describe(ev))
				}
			}
			if err := c.take(events); err != nil {
				return err
			}
		}
	}
	return nil
}

// repeated says whether every line that the event could be for is done.
func (c *collector) repeated(ev gopoll.Event) bool {
	for i := range c.want {
		if c.want[i].same(ev) && !c.done[i] {
			return false
		}
	}
	return true
}
