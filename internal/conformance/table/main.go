// Command table writes docs/conformance.md: which behaviour is shown on which backend and binding, and by what.
//
//	go run ./internal/conformance/table
package main

import (
	"log"
	"os"

	"gopoll.dev/internal/conformance"
)

func main() {
	log.SetFlags(0)
	scripts, err := conformance.ReadDir("gopoll/testdata/conformance")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("docs/conformance.md", []byte(conformance.Table(scripts)), 0o644); err != nil {
		log.Fatal(err)
	}
}
