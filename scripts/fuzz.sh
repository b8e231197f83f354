#!/bin/sh
# fuzz.sh [SECONDS] fuzzes every target of the tree, SECONDS each (5), and no
# longer than five minutes in total. A crasher is kept in testdata by go test
# and fails the run.
set -eu

each=${1:-5}
total=300

cd "$(dirname "$0")/.."
targets=$(grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's|^\./(.*)/[^/]+:[0-9]+:func (.*)$|./\1 \2|' | sort)
count=$(printf '%s\n' "$targets" | grep -c .)
if [ $((each * count)) -gt "$total" ]; then
	each=$((total / count))
fi

out=$(mktemp)
trap 'rm -f "$out"' EXIT
failed=0
while read -r package target; do
	printf '%-24s %-28s ' "$package" "$target"
	if go test -run '^$' -fuzz "^$target\$" -fuzztime "${each}s" "$package" >"$out" 2>&1; then
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
done <<LIST
$targets
LIST
exit "$failed"
