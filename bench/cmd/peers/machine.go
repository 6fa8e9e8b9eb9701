package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// A machine is where and with what the results were had.
type machine struct {
	Date     string            `json:"date"`
	CPU      string            `json:"cpu"`
	CPUs     int               `json:"cpus"`
	Kernel   string            `json:"kernel"`
	System   string            `json:"system"`
	Tools    []string          `json:"tools"`
	Command  string            `json:"command"`
	Seconds  float64           `json:"seconds"`
	Versions map[string]string `json:"versions"` // by RACE/NAME
	Skipped  map[string]string `json:"skipped"`
	Failed   map[string]string `json:"failed"`
}

func describe(f *field, o *options, skipped, failed map[string]string) machine {
	m := machine{
		Date:    time.Now().UTC().Format("2006-01-02"),
		CPU:     match(`(?m)^model name\s*:\s*(.*)$`, "/proc/cpuinfo"),
		CPUs:    runtime.NumCPU(),
		Kernel:  output("uname", "-srm"),
		System:  match(`(?m)^PRETTY_NAME="?([^"\n]*)`, "/etc/os-release"),
		Command: strings.Join(append([]string{"go run ./cmd/peers"}, os.Args[1:]...), " "),
		Skipped: skipped, Failed: failed, Versions: map[string]string{},
	}
	for _, tool := range [][]string{{"go", "version"}, {"gcc", "--version"}, {"rustc", "--version"}} {
		if line := output(tool...); line != "" {
			m.Tools = append(m.Tools, line)
		}
	}
	for _, c := range f.Contenders {
		m.Versions[c.id()] = output(c.Version...)
	}
	return m
}

// match is the first group of a pattern in a file.
func match(pattern, file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	if found := regexp.MustCompile(pattern).FindSubmatch(text); found != nil {
		return string(found[1])
	}
	return ""
}

func (m machine) save(dir string) error {
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "machine.json"), append(text, '\n'), 0o666)
}

func loadMachine(dir string) (m machine, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "machine.json"))
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}
