package main

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const nativeName = "getppid(2)"

// crossGo goes the way that every blocking system call of the pure binding
// goes, past the scheduler; syscall.Getppid on Linux does not.
func crossGo() { unix.Syscall(unix.SYS_GETPPID, 0, 0, 0) }

func cpuName() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
