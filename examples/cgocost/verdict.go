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
	if level(a, b) {
		return "level"
	}
	word, more, less := "ahead", b.Median, a.Median
	if a.Median > b.Median {
		word, more, less = "behind", a.Median, b.Median
	}
	if less > 0 && more/less >= 2 {
		return fmt.Sprintf("%.*f times %s", digits(more/less), more/less, word)
	}
	return fmt.Sprintf("%s %s (%.0f %%)", s.Unit.format(more-less), word, 100*(more-less)/b.Median)
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
		word := "level"
		switch {
		case level(cgo, pure):
		case cgo.Median > pure.Median:
			word = "behind"
		default:
			word = "ahead"
		}
		rows++
		if word == last {
			continue
		}
		said := word
		if word != "level" && last == "" {
			said = s.Unit.format(max(cgo.Median, pure.Median)-min(cgo.Median, pure.Median)) + " " + word
		}
		from := "from"
		if i+1 == len(s.Rows) || last == "" || s.turns(i, word) {
			from = "at"
		}
		clauses = append(clauses, said+" "+from+" "+r.Case)
		last = word
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
func (s *section) turns(i int, word string) bool {
	next := s.Rows[i+1]
	cgo, pure := next.Figures["cgo"], next.Figures["pure"]
	if cgo == nil || pure == nil {
		return true
	}
	if level(cgo, pure) {
		return word != "level"
	}
	return (cgo.Median > pure.Median) != (word == "behind") || word == "level"
}
