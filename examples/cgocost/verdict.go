package main

import (
	"fmt"
	"strings"
)

// judge says in words what the figures say, for each row and over all.
func (s *section) judge() {
	for _, r := range s.Rows {
		r.Verdict = s.judgeRow(r)
	}
	if s.Verdict == "" {
		s.Verdict = s.judgeRows()
	}
}

func (s *section) judgeRow(r *row) string {
	cgo, pure := r.Figures["cgo"], r.Figures["pure"]
	if s.Unit == seconds {
		return "" // one build each: whatever else runs decides
	}
	var words []string
	if cgo != nil && pure != nil {
		words = append(words, "cgo is "+s.compare(cgo, pure))
	}
	best := pure
	if cgo != nil {
		best = cgo
	}
	for _, column := range s.Columns {
		other := r.Figures[column]
		if column == "cgo" || column == "pure" || other == nil || best == nil {
			continue
		}
		words = append(words, column+" "+s.compare(other, best))
	}
	return strings.Join(words, "; ")
}

// compare says where a stands to b: less is better in every unit here.
func (s *section) compare(a, b *figure) string {
	d := difference(a, b)
	more, less := b.Median+max(d, 0), b.Median+min(d, 0)
	switch {
	case d == 0:
		return "level"
	case less > 0 && more/less >= 2:
		return fmt.Sprintf("%.*f times %s", digits(more/less), more/less, word(d))
	}
	return fmt.Sprintf("%s %s (%.0f %%)", s.Unit.format(more-less), word(d), 100*(more-less)/b.Median)
}

func word(difference float64) string {
	switch {
	case difference > 0:
		return "behind"
	case difference < 0:
		return "ahead"
	}
	return "level"
}

func digits(v float64) int {
	if v < 10 {
		return 1
	}
	return 0
}

// judgeRows is one sentence on cgo against pure over rows in order of size: a
// clause for each row at which the word changes.
func (s *section) judgeRows() string {
	var clauses []string
	last, rows := "", 0
	for i, r := range s.Rows {
		cgo, pure := r.Figures["cgo"], r.Figures["pure"]
		if cgo == nil || pure == nil || r.Case == "" {
			continue
		}
		d := difference(cgo, pure)
		rows++
		if word(d) == last {
			continue
		}
		said := word(d)
		if d != 0 && last == "" {
			said = s.Unit.format(max(d, -d)) + " " + said
		}
		from := "from"
		if i+1 == len(s.Rows) || last == "" || s.turns(i, word(d)) {
			from = "at"
		}
		clauses = append(clauses, said+" "+from+" "+r.Case)
		last = word(d)
	}
	switch {
	case rows < 2:
		return ""
	case len(clauses) == 1:
		return "cgo is " + last + " in every row."
	}
	return "cgo is " + strings.Join(clauses, ", ") + "."
}

// turns says whether the row after i has another word than row i.
func (s *section) turns(i int, than string) bool {
	next := s.Rows[i+1]
	cgo, pure := next.Figures["cgo"], next.Figures["pure"]
	return cgo == nil || pure == nil || word(difference(cgo, pure)) != than
}
