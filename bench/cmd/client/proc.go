package main

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// cpuOf is the CPU time of a whole process, in ns; 0 is this one. The number
// of its clock is the system's own way to write "process pid" (clock_getcpuclockid).
func cpuOf(pid int) int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0
	}
	return t.Nano()
}

// rssOf is the memory of a process that is in RAM, in bytes.
func rssOf(pid int) int64 {
	name := "/proc/self/status"
	if pid != 0 {
		name = fmt.Sprintf("/proc/%d/status", pid)
	}
	status, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	var kb int64
	if _, after, ok := bytes.Cut(status, []byte("VmRSS:")); ok {
		fmt.Sscan(string(after), &kb)
	}
	return kb << 10
}
