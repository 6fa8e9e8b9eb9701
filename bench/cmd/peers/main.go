// Command peers races gopoll against its peers: it builds every contender,
// runs them side by side, keeps the raw results, and writes the results page
// and the plots. Run it in bench/:
//
//	go run ./cmd/peers            # the whole race
//	go run ./cmd/peers -quick     # everything for a moment, nothing kept
//	go run ./cmd/peers -report    # the page again, from the results kept
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

type options struct {
	serverCPU, clientCPU   int
	rounds                 int
	chainShapes            []chainShape
	chainWrites, chainRuns int
	echoShapes             []echoShape
	warm, length           time.Duration
	idleConns              int
	clientBinary           string
	port                   int
}

// The shapes of the whole race. A fixed rate is one that every contender can
// sustain with room to spare: bigger messages and a busy processor leave less.
const (
	allChains = "100/1 1000/1 9900/1 100/100 1000/100 9900/100"
	allEchoes = "100x64@40000+0 1000x64@40000+0 10000x64@40000+0 " +
		"100x1024@40000+0 1000x1024@40000+0 10000x1024@40000+0 " +
		"100x16384@10000+0 1000x16384@10000+0 10000x16384@10000+0 " +
		"100x64@4000+4 1000x64@4000+4 10000x64@4000+4 1000x1024@4000+4 1000x16384@1000+4"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run() error {
	var (
		o       = options{clientBinary: "bin/client"}
		quick   = flag.Bool("quick", false, "run every contender for a moment, to see that it works; keep nothing")
		report  = flag.Bool("report", false, "only write the page and the plots again")
		only    = flag.String("only", "", "race those contenders whose RACE/NAME matches the `regexp`")
		results = flag.String("results", "results", "`folder` for the raw results and the plots")
		page    = flag.String("page", "README.md", "`file` whose part between the markers is written")
		chains  = flag.String("chain", allChains, "`shapes` of the chain: PAIRS/ACTIVE")
		echoes  = flag.String("echo", allEchoes, "`shapes` of the echo: CONNECTIONSxBYTES@RATE+BURNING")
	)
	flag.IntVar(&o.serverCPU, "server-cpu", 0, "`CPU` of the chain and of servers")
	flag.IntVar(&o.clientCPU, "client-cpu", 1, "`CPU` of the client")
	flag.IntVar(&o.rounds, "rounds", 3, "times that the whole field is run")
	flag.IntVar(&o.chainWrites, "writes", 10_000, "writes of a run of the chain")
	flag.IntVar(&o.chainRuns, "runs", 5, "runs of the chain in each round")
	flag.DurationVar(&o.warm, "warm", 150*time.Millisecond, "closed loop before it is measured")
	flag.DurationVar(&o.length, "length", 500*time.Millisecond, "length of each of the two measurements of an echo server")
	flag.IntVar(&o.idleConns, "idle", idleLimit(), "idle `connections`")
	flag.Parse()

	filter, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if *quick {
		*chains, *echoes = "100/10", "20x64@2000+0 20x16384@500+2"
		o.rounds, o.chainWrites, o.chainRuns = 1, 1000, 1
		o.warm, o.length, o.idleConns = 10*time.Millisecond, 50*time.Millisecond, 200
		if *results, err = os.MkdirTemp("", "peers"); err != nil {
			return err
		}
		defer os.RemoveAll(*results)
	}
	for _, text := range strings.Fields(*chains) {
		s, err := parseChainShape(text)
		if err != nil {
			return err
		}
		o.chainShapes = append(o.chainShapes, s)
	}
	for _, text := range strings.Fields(*echoes) {
		s, err := parseEchoShape(text)
		if err != nil {
			return err
		}
		o.echoShapes = append(o.echoShapes, s)
	}
	f, err := loadField("contenders.json", filter)
	if err != nil {
		return err
	}
	if !*report {
		if err := o.raceAll(&f, *results); err != nil {
			return err
		}
		if *quick {
			return nil
		}
	}
	return writePage(f, *results, *page)
}

// raceAll builds and runs the field, and keeps what came of it in dir.
func (o *options) raceAll(f *field, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := os.MkdirAll("bin", 0o777); err != nil {
		return err
	}
	if out, err := exec.Command("go", "build", "-trimpath", "-o", o.clientBinary, "./cmd/client").CombinedOutput(); err != nil {
		return fmt.Errorf("the client: %w\n%s", err, out)
	}
	if err := raiseLimit(); err != nil {
		return err
	}
	skipped, err := f.build()
	if err != nil {
		return err
	}
	for id, why := range skipped {
		fmt.Printf("skip: %s: %s\n", id, why)
	}
	begun := time.Now()
	failed := map[string]string{}
	for _, race := range []string{"chain", "echo", "idle"} {
		s, err := createStore(filepath.Join(dir, race+".jsonl"))
		if err != nil {
			return err
		}
		o.race(race, f, s.add, failed)
		if err := s.close(); err != nil {
			return err
		}
	}
	passed := len(f.Contenders)
	for _, c := range f.Contenders {
		if _, ok := failed[c.id()]; ok {
			passed--
		}
	}
	m := describe(f, o, skipped, failed)
	m.Seconds = time.Since(begun).Seconds()
	if err := m.save(dir); err != nil {
		return err
	}
	fmt.Printf("the race took %s\n", time.Since(begun).Round(time.Second))
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, len(failed), len(skipped))
	if len(failed) > 0 {
		return errors.New("some contenders failed")
	}
	return nil
}

// race runs one race, contender beside contender: shape by shape, so that each
// ratio is taken within a short time, and all again in each round, a different
// contender first each time.
func (o *options) race(race string, f *field, keep func(sample) error, failed map[string]string) {
	begun := time.Now()
	for round := range o.rounds {
		step := func(shape any, i int, once func(contender) error) {
			field := f.race(race)
			if race == "idle" {
				field = f.race("echo")
			}
			for k := range field {
				c := field[(k+i+round*5)%len(field)]
				if err := once(c); err != nil {
					fmt.Printf("failed: %s: %s %v: %v\n", c.id(), race, shape, err)
					failed[c.id()] = fmt.Sprintf("%s %v: %v", race, shape, err)
				}
			}
			fmt.Printf("%-5s round %d of %d: %v (%s)\n", race, round+1, o.rounds, shape, time.Since(begun).Round(time.Second))
		}
		switch race {
		case "chain":
			for i, s := range o.chainShapes {
				step(s, i, func(c contender) error { return o.chain(c, s, round, keep) })
			}
		case "echo":
			for i, s := range o.echoShapes {
				step(s, i, func(c contender) error { return o.echo(c, s, round, keep) })
			}
		case "idle":
			// Memory doesn't scatter as time does: once is enough.
			if round == 0 && o.idleConns > 0 {
				step(o.idleConns, 0, func(c contender) error { return o.idle(c, o.idleConns, round, keep) })
			}
		}
	}
}

// idleLimit is how many connections a process can have: its descriptors less a
// tenth for other things.
func idleLimit() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Max/10*9, 100_000))
}

// raiseLimit allows the contenders, too, as many descriptors as can be had.
func raiseLimit() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}
