#!/bin/sh
# axe.sh fetches axe-core, the accessibility checker of the browser tests, with
# npm into bin, once. It is never part of the program and not kept in the
# repository: its licence (MPL 2.0) is another than ours.
#
# Exit status: 0 it is there; 1 the package is not the one that is pinned; 3 npm
# is missing or the registry does not answer, with the reason on stderr.
set -eu
cd "$(dirname "$0")/.."

version=4.14.1
# dist.integrity of the registry: SHA-512 of the package, in base64.
integrity='FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=='

file=bin/axe-core-$version.min.js
[ ! -s "$file" ] || exit 0
if ! command -v npm >/dev/null 2>&1; then
	echo "npm is missing, so axe-core $version could not be fetched" >&2
	exit 3
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
if ! npm pack "axe-core@$version" --pack-destination "$dir" --loglevel error >/dev/null 2>"$dir/log"; then
	echo "npm could not fetch axe-core $version: $(grep -m 1 -i error "$dir/log" || true)" >&2
	exit 3
fi
found=$(node -e '
	const { createHash } = require("crypto"), { readFileSync } = require("fs");
	process.stdout.write(createHash("sha512").update(readFileSync(process.argv[1])).digest("base64"));
' "$dir/axe-core-$version.tgz")
if [ "$found" != "$integrity" ]; then
	echo "axe-core $version has the SHA-512 $found, not the pinned one" >&2
	exit 1
fi
tar -xzf "$dir/axe-core-$version.tgz" -C "$dir" package/axe.min.js
mkdir -p bin
rm -f bin/axe-core-*.min.js
mv "$dir/package/axe.min.js" "$file"
