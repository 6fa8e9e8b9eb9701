// Cgocost measures on this machine what gopoll's cgo binding costs and what it
// saves, beside the pure binding in the same run, and says so in words.
//
//	go run gopoll.dev/examples/cgocost
//	cgocost -html report.html -json report.json
//
// Contenders take turns, so that whatever else the machine is doing falls on
// all of them; each figure is a median, with half the interquartile range as
// its spread.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func main() {
	if addresses := os.Getenv(clientEnv); addresses != "" {
		if err := runClient(addresses, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "cgocost client:", err)
			os.Exit(1)
		}
		return
	}
	switch err := run(os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "cgocost:", err)
		os.Exit(1)
	}
}

// sections are what is measured, in the order of the report.
var sections = []struct {
	name    string
	measure func(*lab) (*section, error)
}{
	{"crossing", crossings},
	{"wait", waits},
	{"change", changes},
	{"lend", lends},
	{"wake", wakes},
	{"busy", busy},
	{"idle", idle},
	{"build", builds},
}

func run(args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("cgocost", flag.ContinueOnError)
	flags.SetOutput(progress)
	rounds := flags.Int("rounds", 51, "samples for each figure")
	pings := flags.Int("pings", 250, "round trips for each percentile of the blocked wait")
	slice := flags.Duration("slice", 2*time.Millisecond, "length of one sample")
	only := flags.String("only", "", "sections to measure, with commas between: "+sectionNames()+" (default all)")
	html := flags.String("html", "", "write a page with charts to this file")
	raw := flags.String("json", "", "write figures and samples to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *rounds < 1 || *pings < 1 || *slice <= 0 {
		return fmt.Errorf("want no arguments, and rounds, pings and slice above zero")
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(*only, ",") {
		if name != "" && !strings.Contains(" "+sectionNames()+" ", " "+name+" ") {
			return fmt.Errorf("no section %q; there are %s", name, sectionNames())
		}
		wanted[name] = true
	}
	l := &lab{rounds: *rounds, pings: *pings, slice: *slice, progress: newProgress(progress)}
	rep := &report{Machine: thisMachine()}
	fmt.Fprint(out, rep.Machine)
	for _, s := range sections {
		if *only != "" && !wanted[s.name] {
			continue
		}
		l.progress.begin(s.name)
		got, err := s.measure(l)
		l.progress.end()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		got.judge()
		rep.Sections = append(rep.Sections, got)
		got.print(out)
	}
	if *raw != "" {
		if err := writeFile(*raw, func(w io.Writer) error { return json.NewEncoder(w).Encode(rep) }); err != nil {
			return err
		}
	}
	if *html != "" {
		return writeFile(*html, rep.page)
	}
	return nil
}

func sectionNames() string {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	return strings.Join(names, " ")
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
