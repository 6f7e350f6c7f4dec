# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the virtual machines are made of: sourced, one source for a fact.
#
# Each line: name, Debian package, its version, SHA-256 of the package.  Nothing
# else is ever booted.  A kernel is added by adding its line (apt-cache show says
# version and hash); it needs CONFIG_SCHED_CLASS_EXT, which Debian's have from
# 6.16 on.

# shellcheck disable=SC2034
vm_default_kernel=6.18.15
# shellcheck disable=SC2034
vm_kernel_suite=trixie-backports

# "config" lines hold /boot/config-RELEASE where it is a package of its own; from
# 6.19 to 7.1 Debian no longer offers it, so nothing may depend on it there.
vm_kernel_table='
6.16.12 kernel linux-image-6.16.12+deb13-cloud-amd64 6.16.12-1~bpo13+1 b56d926c1dc9bbdf151794753df57bd427af2398a033999016dcbbd211e8e461
6.17.13 kernel linux-image-6.17.13+deb13-cloud-amd64 6.17.13-1~bpo13+1 2ac533a36b0c5107527166716414a4d04b00f7108e419df2084ca5aec268d1ff
6.18.15 kernel linux-image-6.18.15+deb13-cloud-amd64 6.18.15-1~bpo13+1 5a507681ea8c978d02265a7fec2f02c9588fb48b54b7f71edc1059e86007f3ec
6.19.14 kernel linux-binary-6.19.14+deb13-cloud-amd64 6.19.14-1~bpo13+1 2c7b515d7846cc4ff80943dde6c22e323214b54bfc3e73e02c470034d953193a
7.0.13 kernel linux-binary-7.0.13+deb13-cloud-amd64 7.0.13-1~bpo13+1 7e2f91866f9d857e5b08fcd915491b4cff79fbe51cdcb081b42658612074a552
7.1.13 kernel linux-binary-7.1.13+deb13-cloud-amd64 7.1.13-1~bpo13+1 2feb3588cd790e0fd7f4c425b8ede990b34f80f70703aeb3a6b3c21207e59785
7.2.12 kernel linux-binary-7.2.12+deb13-cloud-amd64 7.2.12-1~bpo13+1 aa6720823145e351d3c817c95fe58d89995a2bcba4978ad2418c36a1c272f795
7.2.12 config linux-base-7.2.12+deb13-cloud-amd64 7.2.12-1~bpo13+1 e9f6b719bb96f989fce7a61e78580b24de4e824b3c9f656db7c3169dbb45a25a
'

# For Debian 12, whose own QEMU 7.2 now and then runs stale code after another CPU
# has patched it (attaching a scheduler patches code; the guest dies of "Oops:
# int3").  It uses the libraries that the system's qemu-system-x86 brought along.
# Elsewhere the system's own is taken, which must be 8.1 or newer.
# shellcheck disable=SC2034
vm_qemu_version=10.0.2
# shellcheck disable=SC2034
vm_qemu_suite=bookworm-backports
vm_qemu_table='
10.0.2 qemu qemu-system-x86 1:10.0.2+ds-2+deb13u1~bpo12+1 4a6b1856c8b0d7df4ff8e70249e12c473ccf8d516aadb4ae14d3d938faed0c65
10.0.2 data qemu-system-data 1:10.0.2+ds-2+deb13u1~bpo12+1 2d831088187087013b3fcbd19bdfb955b182a2d5a08f6dafa0ad1c6d2007fb4e
10.0.2 bios seabios 1.16.3-2~bpo12+1 48390d0a534c66d11789e39518aa219773a9d3677b29fe1af8799dfb563ec713
'

# The names of the kernels, oldest first.
vm_kernels() { awk '$2 == "kernel" { print $1 }' <<<"$vm_kernel_table"; }

# vm_packages_of TABLE NAME: "PACKAGE VERSION SHA256" a line.
vm_packages_of() { awk -v name="$2" '$1 == name { print $3, $4, $5 }' <<<"$1"; }
