#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Every command has a manual page, every option of --help stands in it, and
# no page documents an option that is not there.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# Long options of one command, as argp prints them.
options_of_help() {
	{
		"$MLSCHED" "$@" --help
		# A command with commands of its own (bench) lists them the same way.
		for sub in $("$MLSCHED" "$@" --help | sed -nE 's/^  ([a-z]+)  +.*/\1/p'); do
			"$MLSCHED" "$@" "$sub" --help
		done
	} | grep -oE '(^|[ ,])--[a-z][a-z0-9-]*' | tr -d ' ,' | sort -u |
		grep -vxE -e '--(help|usage|version)'
}
# Long options that start an item of the page's list.
options_of_page() {
	grep -E '^\.It Fl' "$1" | grep -oE 'Fl Fl [a-z][a-z0-9-]*' | sed 's/Fl Fl /--/' | sort -u |
		grep -vxE -e '--(help|usage|version)'
}

commands=$("$MLSCHED" --help | sed -nE 's/^  ([a-z]+)  +.*/\1/p')
same "mlsched --help names commands" 0 "$([ -n "$commands" ]; echo $?)"
for command in $commands; do
	page=man/mlsched-$command.1
	check "$page exists" test -s "$page"
	[ -s "$page" ] || continue
	same "options of mlsched $command and of its page" "$(options_of_help "$command")" \
		"$(options_of_page "$page")"
done
same "mlsched.1 lists the commands" "$commands" \
	"$(sed -nE 's/^\.It Xr mlsched-([a-z]+) 1.*/\1/p' man/mlsched.1)"
finish
