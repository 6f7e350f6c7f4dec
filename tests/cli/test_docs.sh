#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What the pages and the README tell people to type is there, each command and each of its options; and
# figures are what the page says that they are taken from, and hold what was promised of the recorder; each
# attack that a page names has a test.
# shellcheck source=tests/lib/tap.sh
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh

# Lines of code blocks that begin with the program, without comments; a pipe or ";" ends a command.
commands() {
	awk '/^```/ { block = !block; next } block' "$@" | sed -E 's/^\$ //; s/ # .*//' |
		grep -oE '(^|[|;&] *|sudo +)(build\/)?mlsched [a-z][^|;&<>]*' | sed -E 's/^[|;& ]*(sudo +)?(build\/)?mlsched //'
}

# missing COMMAND...: what of it --help does not know.
missing() {
	local words=("$@") path=("$1") help option sub subs
	# Of "bench", "sim" and "model" the second word may be a command, too.
	if [[ $1 == bench || "$1 ${2:-}" == "sim calibrate" ]] && [[ ${2:-} =~ ^[a-z]+$ ]]; then
		path+=("$2")
	fi
	help=$("$MLSCHED" "${path[@]}" --help 2>/dev/null) || { echo "mlsched ${path[*]}"; return; }
	mapfile -t subs < <(sed -nE 's/^  ([a-z]+)  +.*/\1/p' <<<"$help")
	if [[ $1 == model || $1 == bench ]]; then
		for sub in "${subs[@]}"; do help+=$("$MLSCHED" "$1" "$sub" --help 2>/dev/null); done
	fi
	for option in "${words[@]}"; do
		[[ $option =~ ^--[a-z-]+ ]] || continue
		option=${BASH_REMATCH[0]}
		grep -qE -- "(^|[ ,])$option([^a-z-]|$)" <<<"$help" || echo "mlsched ${path[*]} $option"
	done
}

for page in README.md docs/*.md; do
	[ -n "$(commands "$page")" ] || continue
	wrong=$(commands "$page" | while read -ra words; do missing "${words[@]}"; done | sort -u)
	same "$page: every command and option that it shows is there" "" "$wrong"
done

# Rows of the tables of attacks whose last column names no test, or one that is not there.
untested() {
	awk -F' \\| ' '/^\| attack \|/ { table = 1; getline; next } !/^\|/ { table = 0 } table { print $3 "\t" $1 }' "$@" |
		while IFS=$'\t' read -r tests attack; do
			names=$(grep -oE '`[^`]+`' <<<"$tests" | tr -d '`')
			[ -n "$names" ] || [[ $tests == "the same"* ]] || echo "$attack: no test"
			for name in $names; do
				case $name in
				tests/*) [ -e "$name" ] ;;
				-*) compgen -G "tests/golden/*/bad/*$name" >/dev/null ;;
				keras3-*) compgen -G "tests/golden/*/*/$name" >/dev/null ;;
				*) grep -qrE "\\b$name\\b" tests/unit tests/golden/*.c tests/cli/*.py ;;
				esac || echo "$attack: $name is not there"
			done
		done
}
same "docs/formats.md: each attack has a test that is there" "" "$(untested docs/formats.md)"
check "docs/formats.md: it names many" [ "$(grep -c '`tests/' docs/formats.md)" -ge 30 ]

# Figures of the README's table that are not in the page which it says they are from.
strangers() {
	sed -n '/^## What it costs/,/^## A/p' README.md | grep '^|' | grep -v recorder | grep -oE '[0-9]+\.[0-9]+|[0-9]{3,}' |
		while read -r figure; do grep -qwF -- "$figure" docs/benchmarks.md || echo "$figure"; done
}
same "README.md: its figures are those of docs/benchmarks.md" "" "$(strangers)"

# recording PART: the row of one of the parts of the page's table that were given 50,000 decisions a second, and what became of them.
recording() { sed -n '/^## Recording/,/^## /p' docs/benchmarks.md | awk -v part="$1" '$1 == part && NF == 9'; }
for part in steady kernel; do
	same "docs/benchmarks.md: of 50,000 decisions a second ($part) each was written, none dropped or lost" "True" \
		"$(recording $part | awk '{ print ($2 >= 49500 * $5 && $3 == 0 && $4 + 0 == 0 && $6 >= 49900 ? "True" : $0) }')"
done
same "and it says by which command" "$ mlsched bench record --kernel" \
	"$(sed -n '/^## Recording/,/^## /p' docs/benchmarks.md | grep '^\$')"
finish
