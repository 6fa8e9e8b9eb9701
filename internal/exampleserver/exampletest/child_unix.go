//go:build unix

package exampletest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// childArgs is in the environment of a test binary that is to be the program.
const childArgs = "EXAMPLE_ARGS"

// Main is TestMain: in a child it runs the program instead of the tests.
func Main(m *testing.M, program func()) {
	args, ok := os.LookupEnv(childArgs)
	if !ok {
		os.Exit(m.Run())
	}
	go obey()
	os.Args = append(os.Args[:1], strings.Split(args, "\n")...)
	program()
	os.Exit(0)
}

// obey lowers the limit of descriptors, or lifts it, as lines come in.
func obey() {
	var old syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old)
	for in := bufio.NewScanner(os.Stdin); err == nil && in.Scan(); {
		low := old
		if spare, e := strconv.Atoi(in.Text()); e == nil {
			low, err = lowered(old, spare)
		}
		if err == nil {
			err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low)
		}
		fmt.Fprintln(os.Stderr, "limit", in.Text())
	}
	if err != nil {
		panic(err)
	}
}

// lowered leaves room for so many more.
func lowered(limit syscall.Rlimit, spare int) (syscall.Rlimit, error) {
	lowest, err := syscall.Dup(1)
	if err != nil {
		return limit, err
	}
	limit.Cur = 0
	for range lowest + spare {
		limit.Cur++ // its type differs from system to system
	}
	return limit, syscall.Close(lowest)
}

// A Child is the program in a process of its own.
type Child struct {
	cmd      *exec.Cmd
	input    io.Writer
	Out, Err *bufio.Reader
	t        *testing.T
}

// Start starts the program.
func Start(t *testing.T, args ...string) *Child {
	t.Helper()
	exe, err := os.Executable()
	Must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childArgs+"="+strings.Join(args, "\n"))
	in, err := cmd.StdinPipe()
	Must(t, err)
	out, err := cmd.StdoutPipe()
	Must(t, err)
	warnings, err := cmd.StderrPipe()
	Must(t, err)
	Must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	return &Child{cmd, in, bufio.NewReader(out), bufio.NewReader(warnings), t}
}

// Line reads lines up to one that has text in it.
func (c *Child) Line(r *bufio.Reader, text string) string {
	c.t.Helper()
	for {
		line, err := r.ReadString('\n')
		if strings.Contains(line, text) {
			return strings.TrimSpace(line)
		}
		if err != nil {
			rest, _ := io.ReadAll(c.Err)
			c.t.Fatalf("no line with %q: %v, %s", text, err, rest)
		}
	}
}

// Addr is where the child says that it serves.
func (c *Child) Addr() string {
	c.t.Helper()
	return strings.Fields(c.Line(c.Out, "serving on "))[2]
}

// Limit lets the child open so many more descriptors only.
func (c *Child) Limit(spare int) { c.limit(strconv.Itoa(spare)) }

// Lift ends the limit.
func (c *Child) Lift() { c.limit("lifted") }

func (c *Child) limit(to string) {
	c.t.Helper()
	_, err := io.WriteString(c.input, to+"\n")
	Must(c.t, err)
	c.Line(c.Err, "limit "+to)
}

// Stop sends a signal and wants the program to end well. It returns what the
// program had to say at its end.
func (c *Child) Stop(s os.Signal) string {
	c.t.Helper()
	Must(c.t, c.cmd.Process.Signal(s))
	out, err := io.ReadAll(c.Out)
	Must(c.t, err)
	warnings, err := io.ReadAll(c.Err)
	Must(c.t, err)
	if err := c.cmd.Wait(); err != nil {
		c.t.Fatalf("after %v: %v\n%s%s", s, err, out, warnings)
	}
	return string(out)
}
