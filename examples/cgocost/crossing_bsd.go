//go:build unix && !linux

package main

import "golang.org/x/sys/unix"

const nativeName = "getppid(2)"

func crossGo() { unix.Getppid() }

func cpuName() string {
	for _, name := range []string{"machdep.cpu.brand_string", "hw.model"} {
		if model, err := unix.Sysctl(name); err == nil {
			return model
		}
	}
	return ""
}
