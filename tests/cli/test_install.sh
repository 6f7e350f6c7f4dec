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
for file in bin/mlsched bin/scx_mlsched share/man/man1/scx_mlsched.1 lib/libmlsched.so lib/libmlsched.so.0 lib/libmlsched.a lib/pkgconfig/mlsched.pc \
	include/mlsched/mlsched.h share/doc/mlsched/examples/decide.c share/mlsched/model/saved_model.pb lib/systemd/system/mlsched.service; do
	check "$file is there" test -e "$dest$prefix/$file"
done
same "every public header is installed" "$(cd include/mlsched && ls)" "$(cd "$dest$prefix/include/mlsched" && ls)"
same "pkg-config knows the version" "$version" "$(pkg-config --modversion mlsched)"
same "the pkg-config file names the prefix" "prefix=$prefix" "$(head -n 1 "$dest$prefix/lib/pkgconfig/mlsched.pc")"
same "no installed text names this source tree" "" \
	"$(grep -rl --include='*.pc' --include='*.h' --include='*.md' -F "$PWD" "$dest")"

unit=$dest$prefix/lib/systemd/system/mlsched.service
check "the unit starts the installed program" grep -q "^ExecStart=.* $prefix/bin/scx_mlsched " "$unit"
if command -v systemd-analyze >/dev/null; then
	# Where the program is for now.
	sed "s|^\(ExecStart=.* \)$prefix|\1$dest$prefix|" "$unit" >"$tap_tmp/mlsched.service"
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
check "the unit runs when /etc/default/scx names scx_mlsched" chosen scx_mlsched
check "or mlsched" chosen mlsched
check "or nobody" chosen ''
refuse "but not when it names another scheduler" chosen scx_bpfland
same "an override goes before it, both ways" "0 1" \
	"$(SCX_SCHEDULER_OVERRIDE=scx_mlsched chosen scx_bpfland; printf '%s ' $?; SCX_SCHEDULER_OVERRIDE=scx_rusty chosen scx_mlsched; echo $?)"

# As systemd does with EnvironmentFile= and ExecStart=: started VARIABLE=VALUE... -- COMMAND-LINE.
started() {
	local settings=()
	while [ "$1" != -- ]; do settings+=("$1"); shift; done
	(cd / && env -i "PATH=$dest$prefix/bin:/usr/bin:/bin" "${settings[@]}" "$BASH" -c "$2" </dev/null 2>&1 >/dev/null)
}
# How the distributions' scx.service starts what /etc/default/scx names, and OpenRC's script.
scx_service='exec ${SCX_SCHEDULER_OVERRIDE:-$SCX_SCHEDULER} ${SCX_FLAGS_OVERRIDE:-$SCX_FLAGS} '
openrc="exec $dest$prefix/bin/"'$SCX_SCHEDULER $SCX_FLAGS'
ours=$(sed -n "s/^ExecStart=\/bin\/sh -c '\(.*\)'/\1/p" "$unit")
ours=${ours//\$\$/\$}
ours=${ours/$prefix/$dest$prefix}
missing="Model not found at path: /nonexistent: No such file or directory"
for way in "$scx_service" "$openrc" "$ours"; do
	same "SCX_FLAGS reach it: ${way%%\$*}..." "scx_mlsched: $missing" \
		"$(started SCX_SCHEDULER=scx_mlsched SCX_FLAGS="--backend shadow --model /nonexistent" -- "$way")"
done
for way in "$scx_service" "$ours"; do
	same "overrides reach it: ${way%%\$*}..." "scx_mlsched: $missing" \
		"$(started SCX_SCHEDULER=scx_mlsched SCX_FLAGS="--nonsense" SCX_SCHEDULER_OVERRIDE=scx_mlsched \
			SCX_FLAGS_OVERRIDE="--backend shadow --model /nonexistent" -- "$way")"
done
same "scx.service starts mlsched, too, with its subcommand among the flags" "mlsched run: $missing" \
	"$(started SCX_SCHEDULER=mlsched SCX_FLAGS="run --backend shadow --model /nonexistent" -- "$scx_service")"
started SCX_SCHEDULER=scx_mlsched SCX_FLAGS="--nonsense" -- "$scx_service" >/dev/null
same "wrong flags end with the status that is not tried again" 2 $?
if [ -e /sys/kernel/sched_ext ]; then
	skip "without --backend it is scx and nothing else" "this kernel has sched_ext"
else
	check "without --backend it is scx and nothing else" grep -q '^scx_mlsched: --backend scx: this kernel has no sched_ext' \
		<(started SCX_SCHEDULER=scx_mlsched -- "$scx_service")
fi
same "scx_mlsched tells its version" "mlsched $version" "$("$dest$prefix/bin/scx_mlsched" --version)"
check "scx_mlsched --help tells its options" sh -c '"$1" --help | grep -q -- --verdict-age' - "$dest$prefix/bin/scx_mlsched"

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
