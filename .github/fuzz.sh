#!/bin/sh
# Runs every fuzz target of the module for a time: .github/fuzz.sh 1m
# What is found stays in the package's testdata/fuzz.
set -eu
cd "$(dirname "$0")/.."
time=${1:?usage: $0 TIME}

# go test -list prints a package's targets and then its name.
targets=''
GOFLAGS='' go test -list '^Fuzz' ./... >"${TMPDIR:-/tmp}/fuzz-targets.$$"
while read -r first second _; do
	case $first in
	Fuzz*) targets="$targets $first" ;;
	ok)
		for target in $targets; do
			echo "== $second $target"
			go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$second"
		done
		targets=''
		;;
	esac
done <"${TMPDIR:-/tmp}/fuzz-targets.$$"
rm "${TMPDIR:-/tmp}/fuzz-targets.$$"
