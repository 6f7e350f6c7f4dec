#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# install-deps-tf.sh: what it does when it is interrupted, run twice, run without
# a network or given nonsense.  A small program stands in for python, so that
# nothing is downloaded; the interop tests use the real thing.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
script=scripts/install-deps-tf.sh
export PYTHON=$tap_tmp/fake-python FAKE_DIR=$tap_tmp MLSCHED_CACHE=$tap_tmp/cache
build=$tap_tmp/build

# Answers like a python that has pip: FAKE_PIP says how pip ends; each install is counted.
cat >"$PYTHON" <<'END'
#!/bin/sh
case "$1 $2" in
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip")
	echo "$*" >>"$FAKE_DIR/installs"
	case ${FAKE_PIP:-ok} in
	ok) ;;
	slow) read -r _ <"$FAKE_DIR/go" ;;	# until someone writes into this FIFO
	offline) echo "NewConnectionError: Failed to establish a new connection" && exit 1 ;;
	wrong-hash) echo "THESE PACKAGES DO NOT MATCH THE HASHES" && exit 1 ;;
	esac ;;
"-c import platform"*) echo "${FAKE_TAG:-cp311-x86_64}" ;;
esac
END
chmod +x "$PYTHON"

# Wait for another process; a minute is far more than any of this takes.
wait_for() {
	local tries=6000
	until "$@"; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		sleep 0.01
	done
}
installs() { if [ -e "$tap_tmp/installs" ]; then wc -l <"$tap_tmp/installs"; else echo 0; fi; }
status_of() { "$@" >"$tap_tmp/said" 2>&1; echo $?; }
newest=$MLSCHED_CACHE/tensorflow-2.21.0-cp311-x86_64

same "tf_without_arguments_is_a_usage_error" 2 "$(status_of $script)"
same "tf_with_unknown_option_is_a_usage_error" 2 "$(status_of $script --newest "$build")"
check "tf_help_is_printed" $script --help

same "tf_wrong_hash_fails" 1 "$(FAKE_PIP=wrong-hash status_of $script "$build")"
check "tf_failure_shows_what_pip_said" grep -q "DO NOT MATCH THE HASHES" "$tap_tmp/said"
check "tf_failed_install_is_not_linked" test ! -e "$build/tensorflow"
same "tf_without_network_ends_with_3" 3 "$(FAKE_PIP=offline status_of $script "$build")"
same "tf_without_network_tests_go_on" 0 "$(FAKE_PIP=offline status_of $script --for-tests "$build")"
check "tf_without_network_says_that_tests_skip" grep -q "will be skipped" "$tap_tmp/said"
same "tf_with_wrong_hash_tests_stop" 1 "$(FAKE_PIP=wrong-hash status_of $script --for-tests "$build")"

: >"$tap_tmp/installs"
same "tf_installs_after_failures" 0 "$(status_of $script "$build")"
same "tf_link_names_the_environment" "$newest" "$(readlink "$build/tensorflow")"
check "tf_install_insists_on_hashes" grep -q -- "--require-hashes -r scripts/tensorflow/2.21.0" \
	"$tap_tmp/installs"
same "tf_second_run_succeeds" 0 "$(status_of $script "$build")"
same "tf_second_run_installs_nothing" 1 "$(installs)"
same "tf_second_clone_shares_it" "0 1" "$(status_of $script "$tap_tmp/other") $(installs)"

rm "$newest/.mlsched-complete"
same "tf_interrupted_install_is_begun_again" "0 2" "$(status_of $script "$build") $(installs)"
echo "pinned to something else" >"$newest/.mlsched-complete"
same "tf_changed_pins_are_installed" "0 3" "$(status_of $script "$build") $(installs)"

# Two runs at once: the second waits for the first and then has nothing to do.
rm "$newest/.mlsched-complete"
: >"$tap_tmp/installs"
mkfifo "$tap_tmp/go"
FAKE_PIP=slow $script "$build" >"$tap_tmp/first" 2>&1 &
first=$!
wait_for test -s "$tap_tmp/installs"
FAKE_PIP=slow $script "$tap_tmp/other" >"$tap_tmp/second" 2>&1 &
second=$!
wait_for grep -qs "waiting for another run" "$tap_tmp/second"
timeout 60 tee "$tap_tmp/go" <<<go >/dev/null
wait $first && wait $second
same "tf_concurrent_runs_install_once" "0 1" "$? $(installs)"

same "tf_oldest_has_a_name_of_its_own" "0 $MLSCHED_CACHE/tensorflow-2.12.0-cp311-x86_64" \
	"$(status_of $script --oldest "$build") $(readlink "$build/tensorflow-oldest")"
same "tf_other_version_installs" 0 "$(status_of $script "$build" 2.15.1)"
check "tf_other_version_is_said_to_be_untried" grep -q "NOT one of the versions that we tried" "$tap_tmp/said"
same "tf_untried_python_ends_with_3" 3 "$(FAKE_TAG=cp399-riscv64 status_of $script "$build")"
rm "$build/tensorflow" && mkdir "$build/tensorflow"
same "tf_directory_in_the_way_is_kept" 1 "$(status_of $script "$build")"
check "tf_directory_in_the_way_is_named" grep -q "tensorflow is in the way" "$tap_tmp/said"
finish
