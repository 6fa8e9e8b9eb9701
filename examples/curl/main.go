//go:build curl && cgo

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

func main() {
	dir := flag.String("dir", ".", "`folder` for what is fetched")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "curl: give some URLs")
		os.Exit(2)
	}
	var all []transfer
	for i, url := range flag.Args() {
		name := fmt.Sprintf("%d-%s", i, path.Base(url))
		all = append(all, transfer{url: url, file: filepath.Join(*dir, filepath.Base(name))})
	}
	if err := fetch(all); err != nil {
		fmt.Fprintln(os.Stderr, "curl:", err)
		os.Exit(1)
	}
	var failed []error
	for _, t := range all {
		if t.err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", t.url, t.err))
			continue
		}
		fmt.Println(t.file)
	}
	if err := errors.Join(failed...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
