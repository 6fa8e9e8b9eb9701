package main

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page writes the report as one HTML file that needs no other.
func (r *report) page(out io.Writer) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	data := struct {
		*report
		Charts []*chart
		Raw    template.JS // as JSON, which Marshal has made safe within a script
	}{report: r, Raw: template.JS(raw)}
	for _, s := range r.Sections {
		data.Charts = append(data.Charts, newChart(s))
	}
	return pageTemplate.Execute(out, data)
}

// chart is a section as bars, each row on its own scale: what counts is how
// the contenders stand to each other.
type chart struct {
	*section
	Groups []group
	Height float64
	Keys   []key
}

type group struct {
	Name    string
	Verdict string
	Y       float64
	Bars    []bar
}

type bar struct {
	Y, Width, Low, High float64
	Label               string
	Color               string
}

type key struct{ Name, Color string }

var colors = map[string]string{"cgo": "#2c6fbb", "pure": "#d9822b", "nested": "#5a9e4b", "net": "#8a8a8a"}

func color(column string) string {
	if c, ok := colors[column]; ok {
		return c
	}
	return "#8a8a8a"
}

const (
	barHeight = 16.0
	barGap    = 4.0
	groupGap  = 14.0
	barSpace  = 330.0 // for the highest value of a row
)

func newChart(s *section) *chart {
	c := &chart{section: s, Height: groupGap}
	for _, column := range s.Columns {
		c.Keys = append(c.Keys, key{column, color(column)})
	}
	for _, r := range s.Rows {
		most := 0.0
		for _, f := range r.Figures {
			most = max(most, f.High, f.Median)
		}
		g := group{Name: r.Name, Verdict: r.Verdict, Y: c.Height}
		for _, column := range s.Columns {
			f := r.Figures[column]
			if f == nil || most == 0 {
				continue
			}
			scale := barSpace / most
			g.Bars = append(g.Bars, bar{c.Height, f.Median * scale, f.Low * scale, f.High * scale,
				strings.ReplaceAll(s.cell(f), "±", " ±"), color(column)})
			c.Height += barHeight + barGap
		}
		c.Height += groupGap
		c.Groups = append(c.Groups, g)
	}
	return c
}
