#!/bin/sh
# A program in another module, with gopoll beside it and then vendored, is
# vetted, built and run in both builds. Vendoring leaves out folders without Go
# files, so that the C sources have to be beside those.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

cat >main.go <<'END'
package main

import (
	"fmt"
	"log"

	"gopoll.dev/gopoll"
)

func main() {
	for _, binding := range gopoll.Bindings() {
		p, err := gopoll.New(gopoll.WithBinding(binding))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(p.Backend(), p.Binding())
		p.Close()
	}
}
END
export GOFLAGS=-mod=mod GOWORK=off
go mod init example.org/vendored >init.log 2>&1 || { cat init.log; exit 1; }
go mod edit -require gopoll.dev@v0.0.0 -replace "gopoll.dev=$here"
go mod tidy
check() {
	go vet ./...
	go run . | tee got
	CGO_ENABLED=0 go run . | grep -x '[a-z]* pure'
}
check
go mod vendor
GOFLAGS=-mod=vendor
check
# Whatever the build of a system needs is there.
for system in linux darwin freebsd netbsd openbsd windows; do
	CGO_ENABLED=0 GOOS=$system go build -o "$system" .
done
