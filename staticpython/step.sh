#!/bin/sh
# step.sh [-C FOLDER] TARGET PACKAGE STEP COMMAND [ARGUMENT...]
#
# Runs one step of the build with its output appended to logs/TARGET/PACKAGE.log, behind a line `#: STEP`; what the log
# has of an earlier run of this step is removed. It says on one line what it does, and notes the seconds it took in
# build/TARGET/times.tsv. When the command fails: the last lines of this step in the log, its path and the exit code.
# V=1 in the environment shows the output as it comes, QUIET=1 says nothing of a step that goes well.
#
# A killed make leaves compilers behind. They keep the package's lock, so that the next make waits for their end instead
# of building where they still write.
set -u

# `make -n` starts lines with $(MAKE) all the same. It has shown the line already.
flags=${MAKEFLAGS-}
case ${flags%% *} in
-* | *=*) ;;
*n*) exit 0 ;;
esac

folder=.
if [ "$1" = -C ]; then
	folder=$2
	shift 2
fi
target=$1 package=$2 step=$3
shift 3
log=logs/$target/$package.log
times=build/$target/times.tsv
mkdir -p "logs/$target" "build/$target"

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
[ -n "${QUIET-}" ] || printf '%s%-9s%s %-14s %s\n' "$bold" "$target" "$plain" "$package" "$step"

exec 9>"build/$target/.$package.lock"
if ! flock -n 9; then
	echo "waiting for an earlier build of $package to end" >&2
	flock 9
fi

: >>"$log"
if grep -qxF "#: $step" "$log"; then
	awk -v "head=#: $step" '/^#: / { earlier = $0 == head } !earlier' "$log" >"$log.new" && mv "$log.new" "$log"
fi
before=$(wc -c <"$log")
# A pasted command line must run: quote what the shell would change.
{
	printf '#: %s\n(cd %s &&' "$step" "$folder"
	for word; do
		case $word in
		*[!A-Za-z0-9_@%+=:,./-]* | '') printf " '%s'" "$(printf %s "$word" | sed "s/'/'\\\\''/g")" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf ')\n'
} >>"$log"

begin=$(date +%s)
if [ "${V-0}" = 1 ]; then
	# A pipe hides the command's exit code; it comes back on another descriptor.
	code=$({ { (cd "$folder" && "$@") 2>&1 4>&-; echo $? >&4; } | tee -a "$log" >&3; } 4>&1) 3>&1
else
	(cd "$folder" && "$@") >>"$log" 2>&1
	code=$?
fi
echo >>"$log"
if [ "$code" -ne 0 ]; then
	{
		printf '\n%s %s: %s failed with exit code %s. The end of its output:\n' "$target" "$package" "$step" "$code"
		tail -c +$((before + 1)) "$log" | tail -n 40
		printf 'Whole log: %s. Run again with V=1 to see it all.\n' "$PWD/$log"
	} >&2
	exit "$code"
fi
printf '%s\t%s\t%s\n' "$package" "$step" "$(($(date +%s) - begin))" >>"$times"
