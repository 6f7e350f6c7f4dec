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

# For the load "compile" of bench/vm-compare: the source that is built in the guest, and
# all that builds it, down to the C library.  A source is "src:PACKAGE"; its hash is that of the
# upstream archive.
# shellcheck disable=SC2034
vm_compile_suite=trixie
vm_compile_table='
lua5.4 source src:lua5.4 5.4.7-1 9fbf5e28ef86c69858f6d3d34eccc32e911c1a28b4120ff3e84aaa70cfbf1e30
lua5.4 tool gcc-14-x86-64-linux-gnu 14.2.0-19 a17ef039f1ba482051c3efb5c2c24070002e60dd0bd09fd456ec31481a11b725
lua5.4 tool cpp-14-x86-64-linux-gnu 14.2.0-19 ef274b5379f5f97fc71619d39ecc84d039d3e184570d207b909c90afaa5d79e0
lua5.4 tool libgcc-14-dev 14.2.0-19 ca6f2d36d96b19b3eb71405b0b80134d8c89380b02204a2512e5c58ceb090628
lua5.4 tool libgcc-s1 14.2.0-19 3c71917b490d1a17aed43196a2787a256ecf060526cdb20216a74bedc061b150
lua5.4 tool binutils-x86-64-linux-gnu 2.44-3 e6741ce95ff0f7a131c8d9faa3528ccbbc453078bbc62a97da81340ed7462c53
lua5.4 tool libbinutils 2.44-3 4f4664c8a8f0ad0c8631c39fab02e3d8d86ccc6f4436a1d59f059dbcb0492679
lua5.4 tool libctf0 2.44-3 120cafcd93132a276fa92a8fb4cf39b23d14e5a3e348f4f5580638d71ca95ac5
lua5.4 tool libsframe1 2.44-3 38f625dfdc582717029ac3a3e97c51d994ec2e7a0e9b230c6b44e40d1276311f
lua5.4 tool libjansson4 2.14-2+b3 60707a62fe6c1228c3389b12a13ca4efd76defc5532473e547a29e99cf7d2a6e
lua5.4 tool libc6 2.41-12+deb13u5 b59b0625cd1a791375d40dab23a4d5d3d0641e3d0a773501becdc3725b7f99cf
lua5.4 tool libc6-dev 2.41-12+deb13u5 858f4d477cc39324f3c6582cdebcf38928fb385bb17b40518c77a7dccd296428
lua5.4 tool linux-libc-dev 6.12.117-1 8b4848725a2705e5b1612f2135c44300716690ba762368ab87df127e9a5ed416
lua5.4 tool libgmp10 2:6.3.0+dfsg-3 d0d0265eb01770f17afd0f7c8c0622f80479dcfbbe13653a0debeec61464e622
lua5.4 tool libisl23 0.27-1 ac8518042e81c00de1effb72bba7e88ac4ecd488f7ea8b9e3ebc63159cb53b35
lua5.4 tool libmpc3 1.3.1-1+b3 2af0a5c128e03694a41c0b011bd8a958b7297436cdb3a15ddad7866dae8c300b
lua5.4 tool libmpfr6 4.2.2-1 75dddce11dabc7fc543712c33dc27b7f2ee66a111763eb5eac654d010b42cd92
lua5.4 tool libzstd1 1.5.7+dfsg-1 2f6a2aeacfc925eba8b00ac9139bc4bfccf8cacb09eb93de067074b26948eef9
lua5.4 tool zlib1g 1:1.3.dfsg+really1.3.1-1+deb13u1 8c27c342230503b73dfde629642c3b352e87b554e06d60cf58772f236a305ceb
lua5.4 tool make 4.4.1-2 70a9709e665383b06068ccd423d62ea191b65355f318a25565dbf324b254cec6
lua5.4 tool dash 0.5.12-12 a8902cb6d8650134764a25fb80aec8589d858ef71ece1680a62e84816c37bb04
'

# The names of the kernels, oldest first.
vm_kernels() { awk '$2 == "kernel" { print $1 }' <<<"$vm_kernel_table"; }

# vm_packages_of TABLE NAME: "PACKAGE VERSION SHA256" a line.
vm_packages_of() { awk -v name="$2" '$1 == name { print $3, $4, $5 }' <<<"$1"; }
