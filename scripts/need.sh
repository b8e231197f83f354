#!/bin/sh
# need.sh PROGRAM... makes sure that programs a target needs are there.
#
# What is missing is installed with the system's package manager when that works
# without a question (root, passwordless sudo, or Homebrew); otherwise it is
# named, with the command that installs it, and the exit status is 1.
#
#	scripts/need.sh postgresql chromium
#
# Programs: postgresql (initdb and postgres), chromium, cc (a C compiler with
# headers, for the race detector), npm (for axe-core), python3 (which
# runs the notebook of a report in a test), go (only looked for).
set -eu

# The oldest PostgreSQL that postgres/private can run.
min_postgresql=14

# has_server DIR: both programs are in DIR and new enough.
has_server() {
	[ -f "$1/initdb" ] && [ -x "$1/initdb" ] && [ -f "$1/postgres" ] && [ -x "$1/postgres" ] || return 1
	major=$("$1/postgres" --version 2>/dev/null | sed -n 's/^postgres (PostgreSQL) \([0-9][0-9]*\).*/\1/p')
	[ -n "$major" ] && [ "$major" -ge "$min_postgresql" ]
}

# has_postgresql looks where postgres/private/binaries.go looks: in PGBIN alone
# if that is set, else on PATH and in the usual places.
has_postgresql() {
	if [ -n "${PGBIN:-}" ]; then
		has_server "$PGBIN"
		return
	fi
	if path=$(command -v postgres) && has_server "$(dirname "$path")"; then
		return 0
	fi
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/bin /usr/libexec/postgresql* \
		/usr/local/pgsql/bin /usr/local/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
		/Applications/Postgres.app/Contents/Versions/latest/bin; do
		if has_server "$dir"; then
			return 0
		fi
	done
	return 1
}

# has PROGRAM
has() {
	case $1 in
	postgresql) has_postgresql ;;
	chromium) # the names that internal/webtest knows
		command -v chromium || command -v chromium-browser || command -v google-chrome ||
			command -v chrome || command -v headless-shell ;;
	cc) # a compiler without the C library's headers is of no use
		compiler=${CC:-$(go env CC)} && printf '#include <stdlib.h>\n' | $compiler -fsyntax-only -x c - ;;
	go | npm | python3) command -v "$1" ;;
	esac >/dev/null 2>&1
}

# title PROGRAM: what to call it.
title() {
	case $1 in
	postgresql) echo "PostgreSQL $min_postgresql or newer (initdb and postgres)" ;;
	chromium) echo "Chromium or Chrome on PATH (for the browser tests)" ;;
	cc) echo "a C compiler with headers (for the race detector)" ;;
	npm) echo "npm (to fetch axe-core, for the accessibility tests)" ;;
	python3) echo "Python 3 (for the test of the notebook)" ;;
	go) echo "Go 1.26 or newer (https://go.dev/dl)" ;;
	esac
}

# manager: the package manager of this system, or nothing.
manager() {
	for name in apt-get dnf apk pacman brew; do
		if command -v "$name" >/dev/null 2>&1; then
			echo "$name"
			return
		fi
	done
}

# packages MANAGER PROGRAM: what the system calls it.
packages() {
	case $1:$2 in
	apt-get:postgresql | apk:postgresql | pacman:postgresql) echo postgresql ;;
	dnf:postgresql) echo postgresql-server ;;
	brew:postgresql) echo postgresql@17 ;;
	*:chromium) echo chromium ;;
	brew:npm) echo node ;;
	*:npm) echo npm ;;
	brew:python3 | pacman:python3) echo python ;;
	*:python3) echo python3 ;;
	apt-get:cc) echo gcc libc6-dev ;;
	dnf:cc) echo gcc glibc-devel ;;
	apk:cc) echo gcc musl-dev ;;
	pacman:cc) echo gcc ;;
	brew:cc) echo gcc ;;
	esac
}

# command_for MANAGER: how to install packages without a question.
command_for() {
	case $1 in
	apt-get) echo "env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends" ;;
	dnf) echo "dnf install -y -q" ;;
	apk) echo "apk add -q" ;;
	pacman) echo "pacman -Sy --noconfirm --needed" ;;
	brew) echo "brew install" ;;
	esac
}

# prefix MANAGER: what must stand before a command that changes the system.
# Fails where nobody may do so without a password.
prefix() {
	if [ "$1" = brew ]; then # refuses root
		[ "$(id -u)" -ne 0 ]
	elif [ "$(id -u)" -eq 0 ]; then
		return 0
	elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		echo sudo
	else
		return 1
	fi
}

missing=
for program in "$@"; do
	if [ -z "$(title "$program")" ]; then
		echo "need.sh: unknown program $program" >&2
		exit 2
	fi
	if ! has "$program"; then
		missing="$missing $program"
	fi
done
[ -n "$missing" ] || exit 0
case $missing in
*postgresql*)
	if [ -n "${PGBIN:-}" ]; then # installing would not change what is looked at
		echo "PGBIN=$PGBIN holds no $(title postgresql)" >&2
		exit 1
	fi
	;;
esac

manager=$(manager)
wanted=
for program in $missing; do
	wanted="$wanted $(packages "${manager:-none}" "$program")"
done
wanted=$(echo $wanted) # one space between words

if [ -n "$manager" ] && [ -n "$wanted" ] && sudo=$(prefix "$manager"); then
	echo "Installing $wanted with $manager" >&2
	if [ "$manager" = apt-get ]; then
		$sudo apt-get update -qq >&2 || echo "apt-get update failed; trying the lists that are here" >&2
	fi
	# shellcheck disable=SC2046,SC2086 # words on purpose
	$sudo $(command_for "$manager") $wanted >&2 || true # what counts is what is there now
fi

status=0
for program in $missing; do
	if ! has "$program"; then
		echo "Missing: $(title "$program")" >&2
		status=1
	fi
done
if [ "$status" -ne 0 ] && [ -n "$manager" ] && [ -n "$wanted" ]; then
	how=$(command_for "$manager")
	[ "$manager" = brew ] || how="sudo $how"
	echo "Install with: $how $wanted" >&2
fi
exit "$status"
