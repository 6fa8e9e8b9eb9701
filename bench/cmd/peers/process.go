package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"time"
)

// A process runs pinned to one CPU, obeys orders on its standard input and is
// killed after a time.
type process struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	stderr bytes.Buffer
	timer  *time.Timer
}

func start(cpu int, limit time.Duration, argv ...string) (*process, error) {
	p := &process{name: argv[0]}
	// taskset replaces itself with the program, so that the process id is the program's.
	p.cmd = exec.Command("taskset", append([]string{"-c", strconv.Itoa(cpu)}, argv...)...)
	p.cmd.Stderr = &p.stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.timer = time.AfterFunc(limit, func() { p.cmd.Process.Kill() })
	return p, nil
}

// line is the next line the process prints.
func (p *process) line() (string, error) {
	if p.out.Scan() {
		return p.out.Text(), nil
	}
	p.kill()
	return "", fmt.Errorf("%s ended (%v): %s", p.name, p.cmd.ProcessState, bytes.TrimSpace(p.stderr.Bytes()))
}

// ask gives an order and returns the line that answers it.
func (p *process) ask(order string) (string, error) {
	if _, err := io.WriteString(p.in, order+"\n"); err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	return p.line()
}

// finish waits for the end of a process that ends by itself once its input has.
func (p *process) finish() error {
	p.in.Close()
	for p.out.Scan() {
	}
	err := p.cmd.Wait()
	p.timer.Stop()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", p.name, err, bytes.TrimSpace(p.stderr.Bytes()))
	}
	return nil
}

// kill ends it now; harmless after its end.
func (p *process) kill() {
	p.timer.Stop()
	p.cmd.Process.Kill()
	p.cmd.Wait()
}
