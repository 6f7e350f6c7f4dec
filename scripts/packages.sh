# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The packages that mlsched needs: sourced, one source for a fact.

# To build and to run.
# shellcheck disable=SC2034
build_packages=(
	make pkg-config gcc libc6-dev binutils
	clang-19 llvm-19
	libelf-dev zlib1g-dev libjansson-dev
	libprotobuf-c-dev protobuf-c-compiler
	ca-certificates
)
# To test, to check and to measure.
# shellcheck disable=SC2034
test_packages=(
	libcmocka-dev libclang-rt-19-dev clang-format-19 shellcheck mandoc
	libopenblas-dev python3 python3-venv
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
	stress-ng
)
# bpftool is a package of its own on Debian and part of linux-tools on Ubuntu.
case $(. /etc/os-release 2>/dev/null; echo "${ID:-}") in
ubuntu) build_packages+=(linux-tools-common linux-tools-generic) ;;
*) build_packages+=(bpftool) ;;
esac
