#!/bin/sh
# bootstrap.sh [OPTIONS OF generate.py]: everything a build needs on this machine, and the Makefile.
#
# Installs the host's tools through apt when one is missing (asks sudo only then), makes a virtual environment in .venv
# with requirements.txt, installs what the options ask for (a compiler, an emulator for another CPU), and runs
# generate.py. Running it again does only what is left to do.
set -eu
cd "$(dirname "$0")"

# check_arch ARCH: stops, before pip takes minutes, at a word that configs/ does not have. generate.py, which needs what
# pip installs, looks closer.
check_arch() {
	if [ "$1" != all ] && [ ! -e "configs/$1.yml" ] && ! grep -qwF -e "$1" configs/*.yml; then
		echo "bootstrap.sh: unknown arch '$1' (known: $(cd configs && echo *.yml | sed 's/\.yml//g'))" >&2
		exit 2
	fi
}
before=
for word; do
	[ "$before" != --arch ] || check_arch "$word"
	case $word in --arch=*) check_arch "${word#--arch=}" ;; esac
	before=$word
done

if ! cmp -s requirements.txt .venv/requirements.done && { ! mkdir -p .venv || [ ! -w .venv ]; }; then
	echo "bootstrap.sh: cannot write to $PWD/.venv: make it yours (chown), or remove it" >&2
	exit 1
fi

# tool:Debian package
tools='make:make patch:patch perl:perl python3:python3 autoreconf:autoconf aclocal:automake libtoolize:libtool tic:ncurses-bin flock:util-linux zstd:zstd'
missing=
for pair in $tools; do
	command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || missing="$missing python3-venv"
[ -e /etc/ssl/certs/ca-certificates.crt ] || [ ! -e /etc/debian_version ] || missing="$missing ca-certificates"

# install PACKAGE...: through apt, which is asked once for its lists.
install() {
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	echo "installing with apt: $*"
	[ -n "${updated-}" ] || $sudo apt-get update -qq
	updated=1
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if [ -n "$missing" ]; then
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "bootstrap.sh: install first (Debian's names):$missing; Python must be 3.10 or newer" >&2
		exit 1
	fi
	# shellcheck disable=SC2086 # a list of names
	install $missing
fi

if ! cmp -s requirements.txt .venv/requirements.done; then
	python3 -m venv .venv
	.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	cp requirements.txt .venv/requirements.done
fi
if command -v apt-get >/dev/null 2>&1; then # elsewhere generate.py says what is missing
	asked=$(.venv/bin/python generate.py --missing "$@" 2>/dev/null | sed -n 's/^apt-get install //p') # errors come below
	# shellcheck disable=SC2086 # a list of names
	[ -z "$asked" ] || install $asked
fi
exec .venv/bin/python generate.py "$@"
