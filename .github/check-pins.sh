#!/bin/sh
# Every action of another repository is pinned by the 40 digits of a commit, with
# its release in a comment: a tag can be moved to other code.
set -eu
cd "$(dirname "$0")"

if grep -rnE '^[^#]*\buses:' workflows |
	grep -vE 'uses: [A-Za-z0-9._/-]+@[0-9a-f]{40} # v[0-9]+(\.[0-9]+){2}$' |
	grep -vE 'uses: \./'; then
	echo 'the above are not pinned like "uses: owner/name@<40 digits> # v1.2.3"' >&2
	exit 1
fi
