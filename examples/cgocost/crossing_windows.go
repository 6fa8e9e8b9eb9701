package main

import (
	"os"

	"golang.org/x/sys/windows"
)

const nativeName = "GetCurrentProcessId"

func crossGo() { windows.GetCurrentProcessId() }

func cpuName() string { return os.Getenv("PROCESSOR_IDENTIFIER") }
