//go:build !curl || !cgo

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "curl: this program needs libcurl and its headers: build it with cgo and -tags curl")
	os.Exit(1)
}
