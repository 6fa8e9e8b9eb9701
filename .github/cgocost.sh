#!/bin/sh
# Measures what cgo costs: the table goes to the screen, and to the summary of
# the job if there is one, the page and the samples into the folder.
set -eu
cd "$(dirname "$0")/.."
dir=${1:?usage: $0 FOLDER}

mkdir -p "$dir"
go run ./examples/cgocost -html "$dir/cgocost.html" -json "$dir/cgocost.json" >"$dir/cgocost.txt"
cat "$dir/cgocost.txt"
if [ -n "${GITHUB_STEP_SUMMARY-}" ]; then
	{ echo '```'; cat "$dir/cgocost.txt"; echo '```'; } >>"$GITHUB_STEP_SUMMARY"
fi
