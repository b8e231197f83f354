#!/bin/sh
# npm.sh fetches what only tests need, with npm into bin, once: axe-core, the
# accessibility checker of the browser tests, and hyparquet, a reader of Parquet
# that is not the library that writes it. They are never part of the program and
# not kept in the repository.
#
# Exit status: 0 they are there; 1 a package is not the one that is pinned; 3 npm
# is missing or the registry does not answer, with the reason on stderr.
set -eu
cd "$(dirname "$0")/.."

# fetch NAME VERSION INTEGRITY FILE: puts FILE of the package, which may be a
# folder, at bin/NAME-VERSION. The integrity is the registry's: SHA-512 in base64.
fetch() {
	target=bin/$1-$2
	[ ! -e "$target" ] || return 0
	if ! command -v npm >/dev/null 2>&1; then
		echo "npm is missing, so $1 $2 could not be fetched" >&2
		exit 3
	fi
	if ! npm pack "$1@$2" --pack-destination "$dir" --loglevel error >/dev/null 2>"$dir/log"; then
		echo "npm could not fetch $1 $2: $(grep -m 1 -i error "$dir/log" || true)" >&2
		exit 3
	fi
	found=$(node -e '
		const { createHash } = require("crypto"), { readFileSync } = require("fs");
		process.stdout.write(createHash("sha512").update(readFileSync(process.argv[1])).digest("base64"));
	' "$dir/$1-$2.tgz")
	if [ "$found" != "$3" ]; then
		echo "$1 $2 has the SHA-512 $found, not the pinned one" >&2
		exit 1
	fi
	rm -rf "$dir/package"
	tar -xzf "$dir/$1-$2.tgz" -C "$dir"
	mkdir -p bin
	rm -rf "bin/$1-"*
	mv "$dir/package$4" "$target"
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fetch axe-core 4.14.1 'FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==' /axe.min.js
fetch hyparquet 1.31.5 'KPVfaxW8xOiO2/4fjeiBfFNEXhGVw9tfcb9ha2iNZdJ3J/yBjEwIeAnTyyuhllFFTb9YO9wg0DfRAOnm6KCvBg==' ''
