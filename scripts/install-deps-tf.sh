#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# install-deps-tf.sh [--onnx | --litert | --python] [--oldest | --for-tests] BUILD_DIR [VERSION]: TensorFlow in a
# virtual environment, which BUILD_DIR/tensorflow then names.  Nothing else of
# mlsched needs it: `make model BY=keras`, the scripts of src/model_dir and the
# interop tests do.
#
#   --onnx       ONNX and ONNX Runtime instead, as BUILD_DIR/onnx, for the interop tests
#   --litert     LiteRT's C library instead, as BUILD_DIR/litert, for `mlsched bench`
#   --python     what builds and tests the Python package, as BUILD_DIR/python, for the same
#   --oldest     the oldest version that is pinned here, as BUILD_DIR/tensorflow-oldest
#   --for-tests  both; without a network say so and succeed (the tests then skip)
#   VERSION      another one than the newest pinned: not pinned, not tried by us
#
# The environment itself lives in $MLSCHED_CACHE (default ~/.cache/mlsched), so
# that clones share it.  Runs may overlap; an interrupted one is begun again.
# Ends with 0, with 3 when there is no network or nothing for this machine, else 1.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1

usage() { sed -n '3,17s/^# \{0,1\}//p' scripts/install-deps-tf.sh; }
say() { echo "install-deps-tf: $*"; }
die() {
	local status=$1
	shift
	echo "install-deps-tf: $*" >&2
	exit "$status"
}

# What is installed: name of the environments and of the directory of pins, what people call it,
# what must start, the package that a version is of, MB needed while installing, what it costs.
family=tensorflow title=TensorFlow modules=tensorflow package=tensorflow-cpu needs=4000
costs="320 to 420 MB to download, 1.5 GB on disk" option=
if [ "${1:-}" = --onnx ]; then
	family=onnx title="ONNX Runtime" modules="onnx, onnxruntime" package=onnxruntime needs=600
	costs="40 to 60 MB to download, 0.3 GB on disk" option=--onnx
	shift
elif [ "${1:-}" = --litert ]; then
	family=litert title="LiteRT" modules=ai_edge_litert package=ai-edge-litert needs=300
	costs="22 MB to download, 0.1 GB on disk" option=--litert
	shift
elif [ "${1:-}" = --python ]; then
	family=python title="The Python package's tools" modules="build, cffi, mypy, numpy, pyarrow, pytest"
	package=build needs=600 costs="80 MB to download, 0.3 GB on disk" option=--python
	shift
fi

# What was tried, oldest first: the files scripts/FAMILY/VERSION-TAG.txt.
tag=
pinned_versions() {
	find "scripts/$family" -name "*-$tag.txt" -printf '%f\n' | sed "s/-$tag\.txt$//" | sort -V
}

python=${PYTHON:-/usr/bin/python3}
[ -x "$python" ] || python=$(command -v "$python" || command -v python3) ||
	die 1 "no python3: run \`make install-deps\`, or name one: PYTHON=/path/to/python3"
tag=$("$python" -c 'import platform, sys
print("cp%d%d-%s" % (*sys.version_info[:2], platform.machine()))') || die 1 "$python does not run"

# An environment is good when its marker names what we would install and its python runs.
is_good() {	# environment marker
	[ "$(cat "$1/.mlsched-complete" 2>/dev/null)" = "$2" ] && "$1/bin/python" -c '' 2>/dev/null
}

link() {	# environment name
	mkdir -p "$build"
	[ ! -e "$build/$2" ] || [ -L "$build/$2" ] || die 1 "$build/$2 is in the way: move it"
	ln -sfn "$1" "$build/$2"
}

make_environment() {	# environment marker requirement...
	local environment=$1 marker=$2 log=$1.log started=$SECONDS free
	shift 2
	free=$(df -P --block-size=1M "$cache" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge $needs ] || die 1 "$cache: needs $needs MB free while installing, has $free MB"
	rm -rf "$environment"
	"$python" -m venv "$environment" >"$log" 2>&1 || {
		cat "$log" >&2
		die 1 "$python cannot make a virtual environment: is python3-venv installed?"
	}
	if ! "$environment/bin/python" -m pip install --no-compile --only-binary :all: \
		--disable-pip-version-check --no-input --progress-bar off "$@" >"$log" 2>&1; then
		tail -n 12 "$log" >&2
		if grep -qE 'NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError|ReadTimeout' "$log"; then
			die 3 "no network: pip could not reach its package index (see above, and $log)"
		fi
		die 1 "pip install failed (see above, and $log)"
	fi
	TF_CPP_MIN_LOG_LEVEL=3 "$environment/bin/python" -c "import $modules" >"$log" 2>&1 || {
		tail -n 12 "$log" >&2
		die 1 "$title is installed in $environment and does not start (see above)"
	}
	rm -f "$log"
	echo "$marker" >"$environment/.mlsched-complete"
	say "done in $((SECONDS - started)) s, $(du -sm "$environment" | cut -f1) MB on disk"
}

install_one() {	# name version
	local name=$1 version=$2 environment pins marker
	environment=$cache/$family-$version-$tag
	pins=scripts/$family/$version-$tag.txt
	if [ -e "$pins" ]; then
		marker="pinned $(sha256sum "$pins" | cut -d' ' -f1)"
	else
		marker="unpinned $version"
	fi
	mkdir -p "$cache" || die 1 "$cache: cannot make this directory"
	exec 9>"$environment.lock"
	flock -n 9 || { say "waiting for another run that installs $title $version"; flock 9; }
	if is_good "$environment" "$marker"; then
		say "$title $version is in $environment"
	elif [ -e "$pins" ]; then
		say "installing $title $version for ${python##*/} ($tag) with pip into $environment;" \
			"pinned and checked by hash; $costs"
		make_environment "$environment" "$marker" --no-deps --require-hashes -r "$pins"
	else
		say "installing $title $version for ${python##*/} ($tag) with pip into $environment;" \
			"NOT one of the versions that we tried ($(pinned_versions | paste -sd' '))"
		make_environment "$environment" "$marker" "$package==$version"
	fi
	exec 9>&-
	link "$environment" "$name"
}

which=newest
case ${1:-} in
--oldest) which=oldest && shift ;;
--for-tests) which=both && shift ;;
-h | --help) usage && exit 0 ;;
-*) usage >&2 && exit 2 ;;
esac
if [ $# -lt 1 ] || [ $# -gt 2 ] || { [ $# -eq 2 ] && [ $which != newest ]; }; then
	usage >&2
	exit 2
fi
build=$1
cache=${MLSCHED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mlsched}
case $cache in /*) ;; *) cache=$PWD/$cache ;; esac

if [ $# -eq 2 ]; then
	install_one "$family" "$2"
	exit
fi
oldest=$(pinned_versions | head -n 1) newest=$(pinned_versions | tail -n 1)
if [ $which = both ]; then
	# In processes of their own: die() in one must not keep the other from being installed.
	scripts/install-deps-tf.sh $option "$build"
	status=$?
	[ $status -ne 0 ] || [ "$oldest" = "$newest" ] || { scripts/install-deps-tf.sh $option --oldest "$build"; status=$?; }
	[ $status -ne 3 ] || { say "the interop tests that need $title will be skipped"; status=0; }
	exit $status
fi
[ -n "$newest" ] || die 3 "no $title was tried with $python ($tag): name one," \
	"scripts/install-deps-tf.sh $option $build VERSION, or a CPython 3.11 by PYTHON="
case $which in
newest) install_one "$family" "$newest" ;;
oldest) install_one "$family-oldest" "$oldest" ;;
esac
