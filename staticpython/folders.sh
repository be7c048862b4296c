#!/bin/sh
# What the rule of a package does with folders.
#
# A package installs into a folder of its own, INSTALLED, whose files are then copied into the sysroot that all packages
# share. So it is known what an earlier build of it installed; that is removed first, and nothing stays in the sysroot that
# is installed no more. Killed at any point, the rule's next run begins with the same `remove`.
#
#   folders.sh begin SOURCE FOLDER [copy]                an empty folder, or a copy of the sources
#   folders.sh remove INSTALLED SYSROOT                  what the package's last build installed
#   folders.sh put PACKAGE FILE PLACE                    one of `install_files`
#   folders.sh add PACKAGE INSTALLED SYSROOT [FILE...]   all that was installed; the files must be there: `installs`
set -eu

fail() {
	echo "$1" >&2
	exit 1
}

action=$1
shift
case $action in
begin)
	[ -d "$1" ] || fail "$1: no such folder, though it was unpacked: rm $1.stamp, and run make again"
	rm -rf "$2"
	if [ "${3-}" = copy ]; then cp -a "$1" "$2"; else mkdir -p "$2"; fi
	;;
remove)
	mkdir -p "$1" "$2"
	(cd "$1" && find . ! -type d -print0) | (cd "$2" && xargs -0 -r rm -f)
	rm -rf "$1"
	mkdir -p "$1"
	;;
put)
	[ -e "$2" ] || fail "configs/packages/$1.yml: install_files: ${2##*/}: the build made no $2"
	mkdir -p "${3%/*}"
	cp -RT "$2" "$3"
	;;
add)
	package=$1 installed=$2 sysroot=$3
	shift 3
	for file; do
		[ -s "$installed/usr/$file" ] || fail "configs/packages/$package.yml: installs: $file: not installed as usr/$file"
	done
	cp -a "$installed/." "$sysroot/"
	;;
esac
