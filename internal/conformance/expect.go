package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopoll.dev/gopoll"
)

// expected is one event line: NAME KEY BITS... with +HINT, -HINT, ?BIT, n=N and -> for the error of a failed return.
type expected struct {
	l        *line
	name     string
	key      uint64
	bits     gopoll.Readiness // exactly these, hints apart
	may      gopoll.Readiness // bits that may come with them or not
	must     gopoll.Readiness // hints that must be there
	mustNot  gopoll.Readiness // hints that must not
	n        int              // of a return; -1: any
	optional bool
}

// expected reads the indented lines of a command.
func (c *compiler) expected(block []*line) ([]expected, error) {
	var out []expected
	for _, l := range block {
		x, err := c.oneExpected(l)
		if err != nil {
			if _, ok := err.(*lineError); !ok {
				err = l.errorf("%s", err)
			}
			return nil, err
		}
		out = append(out, x)
	}
	if len(out) > 0 {
		c.expects = true
	}
	return out, nil
}

func (c *compiler) oneExpected(l *line) (expected, error) {
	x := expected{l: l, n: -1}
	if len(l.block) > 0 {
		return x, l.block[0].errorf("an event line takes no indented lines")
	}
	words := l.words
	if words[0] == "?" {
		x.optional = true
		words = words[1:]
	}
	if len(words) < 3 {
		return x, fmt.Errorf("an event line is NAME KEY BITS")
	}
	x.name = words[0]
	if err := c.known(aDescriptor, x.name); err != nil {
		return x, err
	}
	var err error
	if x.key, err = strconv.ParseUint(words[1], 0, 64); err != nil {
		return x, fmt.Errorf("%q is no key", words[1])
	}
	if !c.keys[x.name][x.key] {
		return x, fmt.Errorf("%s never had the key %d", x.name, x.key)
	}
	for _, w := range words[2:] {
		if v, ok := strings.CutPrefix(w, "n="); ok {
			if x.n, err = number(v); err != nil {
				return x, err
			}
			continue
		}
		set := &x.bits
		if v, ok := strings.CutPrefix(w, "+"); ok {
			set, w = &x.must, v
		} else if v, ok := strings.CutPrefix(w, "-"); ok {
			set, w = &x.mustNot, v
		} else if v, ok := strings.CutPrefix(w, "?"); ok {
			set, w = &x.may, v
		}
		bit := bitNames[w]
		switch {
		case bit == 0:
			return x, fmt.Errorf("unknown bit %q", w)
		case bit&hints != 0 && set == &x.bits:
			return x, fmt.Errorf("%s is a hint, which may be missing: write +%s where it must be there, -%s where it must not", w, w, w)
		case bit&hints != 0 && set == &x.may:
			return x, fmt.Errorf("%s is a hint, which may be missing anyway", w)
		case bit&hints == 0 && (set == &x.must || set == &x.mustNot):
			return x, fmt.Errorf("%s is no hint: it must be there if it is written, and not if it isn't", w)
		}
		*set |= bit
	}
	returned, failed := x.bits&gopoll.Returned != 0, x.bits&gopoll.Failed != 0
	switch {
	case failed != (l.want != "") || failed && !returned:
		return x, fmt.Errorf("a failed return is written: returned readable failed -> ERROR")
	case returned && !failed && x.n < 0, !returned && x.n >= 0, failed && x.n >= 0:
		return x, fmt.Errorf("n=N stands with a return that did not fail, and nowhere else")
	case x.bits == 0:
		return x, fmt.Errorf("an event has at least one bit beside the hints")
	}
	return x, nil
}

// same says whether the event is about the same thing: readiness of the source, or a return of the direction.
func (x *expected) same(ev gopoll.Event) bool {
	const which = gopoll.Returned | gopoll.Readable | gopoll.Writable
	if x.key != ev.Key || (x.bits^ev.Ready)&gopoll.Returned != 0 {
		return false
	}
	return x.bits&gopoll.Returned == 0 || x.bits&which == ev.Ready&which
}

// hinted says whether the hints are as they must be.
func (x *expected) hinted(ev gopoll.Event) bool {
	return ev.Ready&x.must == x.must && ev.Ready&x.mustNot == 0
}

// matches says whether the event is exactly the one expected.
func (x *expected) matches(ev gopoll.Event) bool {
	if !x.same(ev) || ev.Ready&^hints&^x.may != x.bits || !x.hinted(ev) {
		return false
	}
	switch {
	case x.bits&gopoll.Failed != 0:
		_, err := ev.Result()
		return ev.N > 0 && checkError(err, x.l.want) == nil
	case x.bits&gopoll.Returned != 0:
		n, err := ev.Result()
		return n == x.n && err == nil && int(ev.N) == x.n
	}
	return ev.N == 0
}

func (x *expected) String() string {
	return strings.Join(append(slices.Clone(x.l.words), arrow(x.l.want)...), " ")
}

func arrow(want string) []string {
	if want == "" {
		return nil
	}
	return []string{"->", want}
}

// describe writes an event as a script would.
func (p *poller) describe(ev gopoll.Event) string {
	if ev.Ready == 0 && ev.Key == 0 {
		return "woken"
	}
	name := "nobody"
	if s := p.keys[ev.Key]; s != nil {
		name = s.d.name
	}
	words := []string{name, strconv.FormatUint(ev.Key, 10)}
	rest := ev.Ready
	for _, w := range []string{"returned", "readable", "writable", "priority", "eof", "truncated", "failed", "readclosed", "writeclosed", "errored"} {
		bit := bitNames[w]
		if ev.Ready&bit == 0 {
			continue
		}
		rest &^= bit
		if bit&hints != 0 {
			w = "+" + w
		}
		words = append(words, w)
	}
	if rest != 0 {
		words = append(words, fmt.Sprintf("%#x", uint32(rest)))
	}
	if _, err := ev.Result(); err != nil {
		words = append(words, "->", err.Error())
	} else if ev.Ready&gopoll.Returned != 0 || ev.N != 0 {
		words = append(words, fmt.Sprintf("n=%d", ev.N))
	}
	return strings.Join(words, " ")
}

// differ is the failure that shows both sides.
func differ(want []expected, came []string, why string) error {
	var b strings.Builder
	b.WriteString(why)
	b.WriteString("\nexpected:")
	for i := range want {
		b.WriteString("\n    " + want[i].String())
	}
	if len(want) == 0 {
		b.WriteString("\n    no event")
	}
	b.WriteString("\ncame:")
	for _, s := range came {
		b.WriteString("\n    " + s)
	}
	if len(came) == 0 {
		b.WriteString("\n    no event")
	}
	return fmt.Errorf("%s", b.String())
}

// here are the expected events that apply to this system.
func here(all []expected, e Env) []expected {
	return slices.DeleteFunc(slices.Clone(all), func(x expected) bool { return !x.l.applies(e) })
}
