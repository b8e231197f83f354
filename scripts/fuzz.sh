#!/bin/sh
# fuzz.sh [SECONDS] fuzzes every target of the tree, SECONDS each (5), and no
# longer than five minutes in total. A crasher is kept in testdata by the test
# and fails the run.
#
# A package is linked once for all its targets, and what is new is kept where
# `go test -fuzz` keeps it.
set -eu

each=${1:-5}
total=300

cd "$(dirname "$0")/.."
root=$PWD
targets=$(grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's|^\./(.*)/[^/]+:[0-9]+:func (.*)$|./\1 \2|' | sort)
count=$(printf '%s\n' "$targets" | grep -c .)
if [ $((each * count)) -gt "$total" ]; then
	each=$((total / count))
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
out=$dir/out
corpus=$(go env GOCACHE)/fuzz
failed=0
built=
while read -r package target; do
	if [ "$package" != "$built" ]; then
		go test -c -fuzz . -o "$dir/test" "$package"
		built=$package
		keep=$corpus/$(go list "$package")
	fi
	printf '%-24s %-28s ' "$package" "$target"
	cd "$root/$package" # where testdata is
	if "$dir/test" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "${each}s" -test.fuzzcachedir "$keep" >"$out" 2>&1; then
		sed -n 's/^fuzz: elapsed: [^,]*, //p' "$out" | tail -n 1
	elif grep -q 'context deadline exceeded' "$out" && ! grep -qE 'Failing input written|panic:|hung or terminated' "$out"; then
		# The end of -fuzztime races with the workers: go.dev/issue/75804,
		# mended in Go 1.27. No input failed.
		echo "ok (stopped late)"
	else
		echo FAIL
		cat "$out"
		failed=1
	fi
	cd "$root"
done <<LIST
$targets
LIST
exit "$failed"
