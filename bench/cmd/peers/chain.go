package main

import (
	"fmt"
	"strconv"
	"time"
)

// A chainShape is so many pairs, and so many of them active.
type chainShape struct{ pairs, active int }

func (s chainShape) String() string { return fmt.Sprintf("%d/%d", s.pairs, s.active) }

func parseChainShape(text string) (s chainShape, err error) {
	if n, _ := fmt.Sscanf(text, "%d/%d", &s.pairs, &s.active); n != 2 || s.String() != text {
		return s, fmt.Errorf("%q isn't PAIRS/ACTIVE", text)
	}
	return s, nil
}

// chain runs the chain once in a process of its own: runs times with fresh
// pairs, after one run to get warm that isn't kept.
func (o *options) chain(c contender, s chainShape, round int, keep func(sample) error) error {
	p, err := start(o.serverCPU, time.Minute, append(c.Run,
		"-n", strconv.Itoa(s.pairs), "-a", strconv.Itoa(s.active),
		"-w", strconv.Itoa(o.chainWrites), "-r", strconv.Itoa(o.chainRuns+1))...)
	if err != nil {
		return err
	}
	defer p.kill()
	for run := range o.chainRuns + 1 {
		line, err := p.line()
		if err != nil {
			return err
		}
		v, err := values(line, "")
		if err != nil {
			return err
		}
		if v["events"] != float64(s.active+o.chainWrites) {
			return fmt.Errorf("%s: %s: %v events", c.id(), s, v["events"])
		}
		v["pairs"] = float64(s.pairs)
		if run > 0 {
			if err := keep(sample{"chain", c.Name, s.String(), round, v}); err != nil {
				return err
			}
		}
	}
	return p.finish()
}
