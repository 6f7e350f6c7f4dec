#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# lint.sh: what CI checks besides the tests.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
bad=0
check() {
	local name=$1
	shift
	if "$@"; then echo "lint: $name: ok"; else echo "lint: $name: FAILED" >&2; bad=1; fi
}
mapfile -t c_files < <(git ls-files '*.c' '*.h')
mapfile -t shell_files < <(git ls-files '*.sh' .ci/run scripts/vm/run scripts/vm/guest-init)
mapfile -t manuals < <(git ls-files 'man/*.[1-8]')
mapfile -t python_files < <(git ls-files '*.py')

license() {
	local file missing=0
	for file in "${c_files[@]}" "${shell_files[@]}" "${python_files[@]}"; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0' || {
			echo "$file: no SPDX-License-Identifier in its first three lines" >&2
			missing=1
		}
	done
	return "$missing"
}
check "clang-format" clang-format-19 --dry-run --Werror "${c_files[@]}"
check "shellcheck" shellcheck "${shell_files[@]}"
check "licence headers" license
[ ${#manuals[@]} -eq 0 ] || check "manual pages" mandoc -T lint -W warning "${manuals[@]}"
[ ${#python_files[@]} -eq 0 ] || check "python" python3 -m compileall -q "${python_files[@]}"
exit $bad
