#!/bin/sh
# truth.sh [--list] runs, without the race detector, the tests that `make race` does
# not build: all of the files that begin with //go:build !race. They load hundreds of
# pages in a browser, simulate thousands of experiments or play whole populations,
# which the race detector makes ten times as long and has nothing to find in. That
# no test is left out of both runs, layout_test.go sees to with --list.
set -eu
export LC_ALL=C # so that names sort as in Go
cd "$(dirname "$0")/.."

files=$(grep -rlx --include='*_test.go' --exclude-dir=bench '//go:build !race' . | sort)
tests=$(grep -hoE '^func Test[A-Za-z0-9_]+' $files | sed 's/^func //' | sort -u)
if [ "${1:-}" = --list ]; then
	printf '%s\n' $tests
	exit
fi
# All packages at once: their tests keep every core busy. A name that another of
# them has, too, is run there as well.
set -x
SPLITCAST_REQUIRE_POSTGRES=1 exec go test -count 1 -timeout 20m -run "^($(printf '%s' "$tests" | paste -sd '|' -))\$" $(dirname $files | sort -u)
