# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The packages that mlsched needs: sourced, one source for a fact.

# To build and to run.
# shellcheck disable=SC2034
build_packages=(
	make pkg-config gcc libc6-dev binutils
	clang-19 llvm-19
	libelf-dev zlib1g-dev libjansson-dev libncurses-dev libsqlite3-dev
	libprotobuf-c-dev protobuf-c-compiler
	libhdf5-dev libzip-dev # looked up at run time, by whoever reads .h5 and .keras
	ca-certificates
)
# To test, to check and to measure.
# shellcheck disable=SC2034
test_packages=(
	libcmocka-dev libclang-rt-19-dev clang-format-19 shellcheck mandoc
	libopenblas-dev python3 python3-venv libpython3-dev
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
	stress-ng systemd tmux
)
# For virtual machines with a sched_ext kernel: make vm-run, make vm-test.
# shellcheck disable=SC2034
vm_packages=(
	qemu-system-x86 busybox-static cpio debian-archive-keyring zstd
)
# bpftool is a package of its own on Debian and part of linux-tools on Ubuntu.
case $(. /etc/os-release 2>/dev/null; echo "${ID:-}") in
ubuntu) build_packages+=(linux-tools-common linux-tools-generic) ;;
*) build_packages+=(bpftool) ;;
esac
# For docs/python.md: PyTorch of PyPI brings 5 GB of CUDA along.  Elsewhere the test says that it skips.
interop_packages=()
case $(. /etc/os-release 2>/dev/null; echo "${ID:-}") in
debian) interop_packages+=(python3-torch) ;;
esac

# packages_for WHAT: sets the array packages to what one needs to "build", to "test" (and
# build), to test beside the tools of others, too ("interop"), or for virtual machines ("vm",
# and what "test" has).
packages_for() {
	# shellcheck disable=SC2034
	packages=("${build_packages[@]}")
	case $1 in
	test) packages+=("${test_packages[@]}") ;;
	interop) packages+=("${test_packages[@]}" "${interop_packages[@]}") ;;
	vm) packages+=("${test_packages[@]}" "${vm_packages[@]}") ;;
	esac
}
