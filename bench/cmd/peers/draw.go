package main

import (
	"image/color"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// draw makes the plots of the page.
func (b *board) draw(dir string) error {
	small := func(s string) bool { return calm(s) && strings.Contains(s, "x64@") }
	for name, f := range map[string]figures{
		"chain.svg":           dispatch.of(b.samples, every),
		"echo-throughput.svg": throughput.of(b.samples, calm),
		"echo-p99.svg":        pacedP99.of(b.samples, small),
		"echo-busy-p99.svg":   pacedP99.of(b.samples, busy),
		"idle.svg":            idleBytes.of(b.samples, every),
	} {
		if len(f.shapes) == 0 {
			continue
		}
		if err := b.bars(filepath.Join(dir, name), f); err != nil {
			return err
		}
	}
	return nil
}

// bars draws a group of bars for each shape, a bar for each contender.
func (b *board) bars(file string, f figures) error {
	field := b.racing(f.race)
	p := plot.New()
	p.Title.Text = f.title
	p.Y.Label.Text = f.unit
	p.Add(plotter.NewGrid())
	legend := plot.NewLegend()
	legend.Top, legend.Left, legend.Padding = true, true, vg.Points(3)
	width := vg.Points(6)
	colour := palette()
	for i, c := range field {
		values := make(plotter.Values, len(f.shapes))
		for k, shape := range f.shapes {
			values[k] = f.at[shape][c.Name].median * f.scale
		}
		bar, err := plotter.NewBarChart(values, width)
		if err != nil {
			return err
		}
		bar.LineStyle.Width = 0
		bar.Color = colour(c)
		bar.Offset = width * vg.Length(float64(i)-float64(len(field)-1)/2)
		p.Add(bar)
		legend.Add(c.Name, bar)
	}
	names := make([]string, len(f.shapes))
	for i, shape := range f.shapes {
		names[i] = strings.ReplaceAll(strings.TrimSuffix(shape, "+0"), "@", "\n@")
	}
	p.NominalX(names...)
	p.Y.Min, p.Y.Max = 0, p.Y.Max*1.05

	// The legend stands beside the plot, so that it hides no bar.
	const side, height = 180 * vg.Inch / 72, 300 * vg.Inch / 72
	body := vg.Length(len(f.shapes)*(len(field)+3))*width + vg.Points(80)
	canvas := vgsvg.New(body+side, height)
	all := draw.New(canvas)
	p.Draw(draw.Crop(all, 0, -side, 0, 0))
	legend.Draw(draw.Crop(all, body+vg.Points(8), 0, 0, -vg.Points(20)))
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(out); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// palette gives the baseline black, ours blues, and the peers colours of their own.
func palette() func(contender) color.Color {
	ours := []color.Color{
		color.RGBA{0x9e, 0xca, 0xe1, 0xff}, color.RGBA{0xc6, 0xdb, 0xef, 0xff},
		color.RGBA{0x08, 0x45, 0x94, 0xff}, color.RGBA{0x42, 0x92, 0xc6, 0xff},
	}
	peers := []color.Color{
		color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff}, color.RGBA{0xcc, 0x79, 0xa7, 0xff},
		color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0xf0, 0xe4, 0x42, 0xff}, color.RGBA{0x8c, 0x6d, 0x31, 0xff},
	}
	next := func(colours *[]color.Color) color.Color {
		c := (*colours)[0]
		*colours = append((*colours)[1:], c)
		return c
	}
	return func(c contender) color.Color {
		switch {
		case c.Role == "baseline":
			return color.Gray{0x20}
		case c.Ours:
			return next(&ours)
		default:
			return next(&peers)
		}
	}
}
