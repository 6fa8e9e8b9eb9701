#!/bin/sh
# The tests of a machine that may have nothing but Go, in one of the two builds:
#
#   .github/test.sh cgo     needs a C compiler
#   .github/test.sh pure
#
# FLAGS are passed on to go test.
set -eu
cd "$(dirname "$0")/.."

case ${1-} in
cgo) CGO_ENABLED=1 ;;
pure) CGO_ENABLED=0 ;;
*) echo "usage: $0 cgo|pure" >&2; exit 2 ;;
esac
export CGO_ENABLED

go version
go vet ./...
# shellcheck disable=SC2086 # several flags
go test -timeout 600s -shuffle=on ${FLAGS-} ./...
