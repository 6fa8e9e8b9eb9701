package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// clientEnv tells this program to be the client of the blocked wait: another
// process, which the goroutines that compute in this one do not hold up.
const clientEnv = "GOPOLL_CGOCOST_CLIENT"

const pingSize = 8

// task is what the client is to do: blocks of pings to each address in turn,
// with a pause before each ping.
type task struct {
	Rounds, Block int
	Pause, Limit  time.Duration // Limit ends it early
}

// runClient connects to the addresses. For each task that it reads it writes,
// after every round, one line of JSON: the nanoseconds of each address's pings.
func runClient(addresses string, in io.Reader, out io.Writer) error {
	var conns []net.Conn
	for address := range strings.SplitSeq(addresses, ",") {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	tasks, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var t task
		if err := tasks.Decode(&t); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		start := time.Now()
		for r := 0; r < t.Rounds && (r < 2 || time.Since(start) < t.Limit); r++ {
			round := make([][]float64, len(conns))
			// In any order: what one leaves behind, a free processor or none,
			// must not always fall to the same next.
			for _, i := range rand.Perm(len(conns)) {
				for range t.Block {
					time.Sleep(t.Pause)
					took, err := ping(conns[i])
					if err != nil {
						return err
					}
					round[i] = append(round[i], float64(took))
				}
			}
			if err := answers.Encode(round); err != nil {
				return err
			}
		}
		if err := answers.Encode([][]float64{}); err != nil { // the end of the task
			return err
		}
	}
}

func ping(conn net.Conn) (time.Duration, error) {
	var buf [pingSize]byte
	start := time.Now()
	if _, err := conn.Write(buf[:]); err != nil {
		return 0, err
	}
	_, err := io.ReadFull(conn, buf[:])
	return time.Since(start), err
}

// client is that other process.
type client struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *json.Decoder
}

func startClient(addresses []string) (*client, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &client{cmd: exec.Command(self)}
	c.cmd.Env = append(os.Environ(), clientEnv+"="+strings.Join(addresses, ","))
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.answers = json.NewDecoder(out)
	return c, c.cmd.Start()
}

// do returns the samples of each address.
func (c *client) do(t task, tick func(round int)) ([][]float64, error) {
	if err := json.NewEncoder(c.in).Encode(t); err != nil {
		return nil, err
	}
	var samples [][]float64
	for r := 0; ; r++ {
		var round [][]float64
		if err := c.answers.Decode(&round); err != nil {
			return nil, fmt.Errorf("the client has ended: %w", err)
		}
		if len(round) == 0 {
			return samples, nil
		}
		tick(r)
		if samples == nil {
			samples = make([][]float64, len(round))
		}
		for i := range round {
			samples[i] = append(samples[i], round[i]...)
		}
	}
}

func (c *client) close() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }
