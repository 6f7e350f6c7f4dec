#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What `make install` leaves behind: headers that compile by themselves,
# pkg-config flags that work, and a library that an example is built with.
# shellcheck disable=SC2016,SC2154,SC2317
. "$(dirname "$0")/../lib/tap.sh"

O=${O:-build}
dest=$tap_tmp/dest
prefix=/opt/mlsched
version=$(sed -n 's/^#define MLSCHED_VERSION  *"\(.*\)"/\1/p' include/mlsched/version.h)
model=$PWD/tests/golden/savedmodel/models/tf221-keras3-savedmodel/model
# The compiler and, of a sanitized build, the flags that the library was built with.
CC=$(cut -d' ' -f1 "$O/.flags")
CXX=$(command -v "${CC/clang/clang++}" || command -v g++)
sanitize=$(grep -o -- '-fsanitize=[a-z,]*' "$O/.flags" | head -n 1)
export PKG_CONFIG_PATH=$dest$prefix/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dest

check "make install runs scripts/install.sh" sh -c \
	'make -n --no-print-directory O="$1" DESTDIR=/d PREFIX=/p install | grep -q "scripts/install.sh .*\"/d\" \"/p\""' - \
	"$(realpath --relative-to=. "$O")"
check "it installs into DESTDIR" scripts/install.sh "$O" "$dest" "$prefix" "$version"
same "and nothing outside of the prefix" "$prefix" "$(cd "$dest" && find . -mindepth 2 -maxdepth 2 | sed 's|^\.||')"
for file in bin/mlsched lib/libmlsched.so lib/libmlsched.so.0 lib/libmlsched.a lib/pkgconfig/mlsched.pc \
	include/mlsched/mlsched.h share/doc/mlsched/examples/decide.c lib/systemd/system/mlsched.service; do
	check "$file is there" test -e "$dest$prefix/$file"
done
same "every public header is installed" "$(cd include/mlsched && ls)" "$(cd "$dest$prefix/include/mlsched" && ls)"
same "pkg-config knows the version" "$version" "$(pkg-config --modversion mlsched)"
same "the pkg-config file names the prefix" "prefix=$prefix" "$(head -n 1 "$dest$prefix/lib/pkgconfig/mlsched.pc")"
same "no installed text names this source tree" "" \
	"$(grep -rl --include='*.pc' --include='*.h' --include='*.md' -F "$PWD" "$dest")"

unit=$dest$prefix/lib/systemd/system/mlsched.service
check "the unit starts the installed program" grep -q "^ExecStart=$prefix/bin/mlsched run --backend scx " "$unit"
if command -v systemd-analyze >/dev/null; then
	# Where the program is for now.
	sed "s|^\(ExecStart=\)$prefix|\1$dest$prefix|" "$unit" >"$tap_tmp/mlsched.service"
	check "systemd finds nothing wrong with the unit" systemd-analyze --man=no verify "$tap_tmp/mlsched.service"
	same "and says nothing about it" "" "$(cat "$tap_out")"
	exposure() { systemd-analyze --offline=true --threshold="$1" security "$tap_tmp/mlsched.service"; }
	check "systemd takes the unit for well protected" exposure 40
else
	skip "systemd finds nothing wrong with the unit" "needs systemd-analyze: package systemd"
fi
# The line of the unit that looks whether SCX_SCHEDULER means us, as systemd would hand it on.
chosen() {
	local line
	line=$(sed -n "s/^ExecCondition=\/bin\/sh -c '\(.*\)'/\1/p" "$unit")
	SCX_SCHEDULER=$1 sh -c "${line//\$\$/\$}"
}
check "the unit runs when /etc/default/scx names mlsched" chosen mlsched
check "or nobody" chosen ''
refuse "but not when it names another scheduler" chosen scx_bpfland

compile_alone() {	# compiler standard
	local header
	for header in "$dest$prefix"/include/mlsched/*.h; do
		printf '#include <mlsched/%s>\n#include <mlsched/%s>\n' "${header##*/}" "${header##*/}" |
			"$1" -std="$2" -x "$3" -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
				-I "$dest$prefix/include" - || return 1
	done
}
check "each header compiles alone as C11" compile_alone "$CC" c11 c
if [ -n "$CXX" ]; then
	check "each header compiles alone as C++17" compile_alone "$CXX" c++17 c++
else
	skip "each header compiles alone as C++17" "no C++ compiler"
fi

mkdir "$tap_tmp/examples"
example() {
	cp "$dest$prefix"/share/doc/mlsched/examples/* "$tap_tmp/examples/" &&
		make -C "$tap_tmp/examples" CC="$CC" CFLAGS="-std=c11 -Wall -Wextra -Werror $sanitize" LDFLAGS="$sanitize"
}
check "the example builds with what is installed alone" example
cat >"$tap_tmp/situations" <<'S'
3 1 1 0.9 0.2
0 0 2 0.1 0.95
1 7 1 0.5 0.5
S
LD_LIBRARY_PATH=$dest$prefix/lib "$tap_tmp/examples/decide" "$model" <"$tap_tmp/situations" >"$tap_tmp/decisions"
same "the example runs" 0 $?
same "the example decides as mlsched predict computes" \
	"$(sed 's/$/ 0 0 0 0 0/' "$tap_tmp/situations" | "$MLSCHED" predict --logit "$model" |
		awk '{ printf "%s %+.6f\n", ($1 > 0 ? "migrate" : "keep"), $1 }')" \
	"$(awk '{ print $1, $3 }' "$tap_tmp/decisions")"
LD_LIBRARY_PATH=$dest$prefix/lib "$tap_tmp/examples/decide" "$tap_tmp/none" </dev/null 2>"$tap_tmp/message"
same "the example fails without a model" 1 $?
check "and says why" grep -q '^decide: Model not found at path' "$tap_tmp/message"
check "the installed program runs" "$dest$prefix/bin/mlsched" --version
finish
