# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Brings Debian packages into the cache and unpacks them there: sourced by run,
# after versions.sh.  Needs no root, and neither changes nor locks the system's
# own apt.  Every package must have the SHA-256 of versions.sh; what was unpacked
# is checked against its own list of hashes before each use.
#
# Reads $cache; says and dies by the functions of run.
# shellcheck disable=SC2154

# vm_apt TOOL ARGUMENT...: apt with sources, lists and state below the cache.
vm_apt() {
	local tool=$1 apt=$cache/apt
	shift
	"$tool" -qq -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o "Dir::State=$apt/state" -o Dir::State::status=/dev/null -o "Dir::Cache=$apt/cache" \
		-o "APT::Sandbox::User=$(id -un)" -o APT::Architecture=amd64 -o Acquire::Languages=none "$@"
}

vm_mirror() {
	if [ -n "${MLSCHED_VM_MIRROR:-}" ]; then
		echo "$MLSCHED_VM_MIRROR"
	elif [ "$(. /etc/os-release; echo "${ID:-}")" = debian ]; then
		# shellcheck disable=SC2016
		apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
			awk -v c="$(. /etc/os-release; echo "${VERSION_CODENAME:-}")" \
				'$1 == c && $2 ~ /debian/ { print $2; exit }'
	fi
}

# vm_apt_update SUITE PACKAGES: the lists of one suite, those of sources only if one is
# asked for.  Old snapshots are welcome: what counts is the hash of the package.
vm_apt_update() {
	local mirror kind kinds=(deb) keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	mirror=$(vm_mirror)
	[ -n "$mirror" ] || die "apt knows no Debian mirror: name one in MLSCHED_VM_MIRROR"
	[ -e "$keyring" ] || die "$keyring is missing: install debian-archive-keyring"
	mkdir -p "$cache/apt/state/lists/partial" "$cache/apt/cache/archives/partial"
	! grep -q '^src:' <<<"$2" || kinds+=(deb-src)
	for kind in "${kinds[@]}"; do
		echo "$kind [arch=amd64 signed-by=$keyring check-valid-until=no] $mirror $1 main"
	done >"$cache/apt/sources.list"
	vm_apt apt-get update >"$cache/apt/log" 2>&1 || {
		cat "$cache/apt/log" >&2
		die "apt-get update failed for $mirror $1"
	}
}

# vm_download PACKAGE VERSION SHA256 DIRECTORY: one package, checked, into DIRECTORY/unpacked;
# of a source ("src:PACKAGE") the upstream archive, into DIRECTORY/source.
vm_download() {
	local file found get=(download "$1=$2") name="$1_*.deb"
	[ "${1#src:}" = "$1" ] || { get=(source --download-only "${1#src:}=$2"); name="${1#src:}_*.orig.tar.*"; }
	(cd "$4" && vm_apt apt-get "${get[@]}") >>"$cache/apt/log" 2>&1
	file=$(find "$4" -maxdepth 1 -name "$name")
	[ -n "$file" ] || {
		tail -n 5 "$cache/apt/log" >&2
		die "package $1 version $2: not to be had from $(vm_mirror); a mirror of an earlier day may have it (MLSCHED_VM_MIRROR)"
	}
	found=$(sha256sum "$file" | cut -d' ' -f1)
	[ "$found" = "$3" ] || die "package $1 version $2: expected SHA-256 $3, found $found"
	case $file in
	*.deb) dpkg-deb -x "$file" "$4/unpacked" || die "dpkg-deb -x failed on $file" ;;
	*)
		mkdir "$4/source"
		tar -xf "$file" -C "$4/source" --strip-components=1 || die "tar failed on $file"
		;;
	esac
}

# vm_is_whole DIRECTORY PACKAGES: made of exactly these packages, and undamaged.
vm_is_whole() {
	[ "$(cat "$1/packages" 2>/dev/null)" = "$2" ] && (cd "$1" && sha256sum --status -c hashes)
}

# vm_unpack DIRECTORY SUITE PACKAGES ARRANGE: downloads what PACKAGES lists, calls
# ARRANGE to pick from ./unpacked (and ./source) what is needed into ./kept, and puts that in
# place under its name in one step.
vm_unpack() {
	local target=$1 packages=$3
	exec 8>"$cache/fetch.lock"
	flock 8
	# Another run may have been quicker.
	vm_is_whole "$target" "$packages" || vm_unpack_locked "$@"
	exec 8>&-
}

vm_unpack_locked() {
	local target=$1 suite=$2 packages=$3 arrange=$4 work package version sha256
	say "fetching $(cut -d' ' -f1,2 <<<"$packages" | paste -sd, | sed 's/,/, /g')"
	work=$(mktemp -d "$cache/fetch-XXXXXX") || die "cannot write to $cache"
	vm_trash+=("$work")
	vm_apt_update "$suite" "$packages"
	while read -r package version sha256; do
		vm_download "$package" "$version" "$sha256" "$work"
	done <<<"$packages"
	mkdir "$work/kept"
	(cd "$work" && "$arrange") || die "a package does not hold what it should: $packages"
	# Not into what is searched: find would see the list, or not.
	(cd "$work/kept" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >../hashes &&
		mv ../hashes .) || die "cannot write to $work"
	echo "$packages" >"$work/kept/packages"
	rm -rf "$target"
	mv "$work/kept" "$target"
	rm -rf "$work"
}

# Up to 7.1 they are /boot/vmlinuz-RELEASE and /boot/config-RELEASE, then
# /usr/lib/modules/RELEASE/vmlinuz and config.
arrange_kernel() {
	local config release
	find unpacked -type f -name 'vmlinuz*' -exec cp {} kept/vmlinuz \;
	while read -r config; do
		release=${config##*/config-}
		[ "$release" != "$config" ] || release=$(basename "$(dirname "$config")")
		cp "$config" "kept/config-$release"
	done < <(find unpacked -type f \( -path '*/boot/config-*' -o -path '*/lib/modules/*/config' \))
	[ -s kept/vmlinuz ]
}

arrange_qemu() {
	mkdir kept/firmware
	cp unpacked/usr/bin/qemu-system-x86_64 kept/ && cp -rL unpacked/usr/share/qemu/. kept/firmware/ 2>/dev/null
	cp -rL unpacked/usr/share/seabios/. kept/firmware/
	[ -s kept/firmware/bios-256k.bin ]
}

# vm_bare_kernel DIRECTORY: adds vmlinux, what vmlinuz unpacks when it boots, which emulated
# takes as long as much of the rest.  QEMU starts it by its PVH entry.  The header's fields
# are those of Documentation/arch/x86/boot.rst; the last four bytes are the length.
vm_bare_kernel() {
	local sectors offset length
	command -v zstd >/dev/null || die "zstd is missing: install zstd (make vm-test does)"
	exec 8>"$cache/fetch.lock"
	flock 8
	if [ ! -s "$1/vmlinux" ]; then
		read -r sectors < <(od -An -tu1 -j 497 -N 1 "$1/vmlinuz")
		read -r offset length < <(od -An -tu4 -j 584 -N 8 "$1/vmlinuz")
		head -c $(((sectors + 1) * 512 + offset + length - 4)) "$1/vmlinuz" | tail -c $((length - 4)) |
			zstd -dcq >"$1/part" || die "$1/vmlinuz: expected a kernel that is packed by zstd"
		# Without the file itself its hash makes the directory a damaged one.
		(cd "$1" && sha256sum part | sed 's/part$/vmlinux/' >>hashes && mv part vmlinux) || die "cannot write to $1"
	fi
	exec 8>&-
}

# vm_prepare_kernel VERSION: sets vm_kernel_dir, which holds vmlinuz, vmlinux and, if
# there is one, config-RELEASE.
vm_prepare_kernel() {
	local packages
	packages=$(vm_packages_of "$vm_kernel_table" "$1")
	[ -n "$packages" ] || die "kernel $1: expected one of $(vm_kernels | paste -sd' ')"
	vm_kernel_dir=$cache/kernel-$1
	vm_is_whole "$vm_kernel_dir" "$packages" ||
		vm_unpack "$vm_kernel_dir" "$vm_kernel_suite" "$packages" arrange_kernel
	[ -s "$vm_kernel_dir/vmlinux" ] || vm_bare_kernel "$vm_kernel_dir"
}

# vm_prepare_qemu: sets the array vm_qemu, the start of QEMU's command line.
vm_prepare_qemu() {
	local packages found dir=$cache/qemu-$vm_qemu_version
	found=$(qemu-system-x86_64 --version 2>/dev/null | sed -nE '1s/.*version ([0-9.]+).*/\1/p')
	[ -n "$found" ] || die "QEMU is missing: install qemu-system-x86 (make vm-test does)"
	vm_qemu=(qemu-system-x86_64)
	[ "$(printf '%s\n' 8.1 "$found" | sort -V | head -n 1)" != 8.1 ] || return 0
	packages=$(vm_packages_of "$vm_qemu_table" "$vm_qemu_version")
	vm_is_whole "$dir" "$packages" || vm_unpack "$dir" "$vm_qemu_suite" "$packages" arrange_qemu
	vm_qemu=("$dir/qemu-system-x86_64" -L "$dir/firmware")
	"${vm_qemu[0]}" --version >/dev/null 2>&1 ||
		die "QEMU $vm_qemu_version does not run here, and the system's $found is too old (8.1 is needed): $("${vm_qemu[0]}" --version 2>&1 | head -n 1)"
}

# A root directory of its own, so that nothing in it depends on this machine: the tools by the
# names that Makefiles use, without what C does not need (lto1, other machines' headers).  Copies
# instead of links: it goes into the guest's memory as it is.
arrange_compile() {
	local tool from=unpacked/usr to=kept/root triple=x86_64-linux-gnu version=14
	mkdir -p "$to"/{bin,dev,tmp,lib64,lib/$triple,usr/bin,usr/lib/$triple,usr/libexec/gcc/$triple/$version,usr/include/$triple}
	cp "$from/bin/$triple-gcc-$version" "$to/usr/bin/gcc" && cp "$from/bin/make" "$to/usr/bin/" &&
		cp "$from/bin/dash" "$to/bin/sh" || return
	for tool in ar as ld ranlib; do
		cp -L "$from/bin/$triple-$tool" "$to/usr/bin/$tool" || return
	done
	for tool in cc1 collect2 liblto_plugin.so; do
		cp "$from/libexec/gcc/$triple/$version/$tool" "$to/usr/libexec/gcc/$triple/$version/" || return
	done
	# What programs are run with, then what they are linked from.
	cp -L "$from/lib64/ld-linux-x86-64.so.2" "$to/lib64/" &&
		cp -L "$from/lib/$triple"/lib*.so.* "$from/lib/$triple"/lib{bfd,opcodes}-*.so "$to/lib/$triple/" &&
		cp -L "$from/lib/$triple"/*.[oa] "$from/lib/$triple"/lib{c,m}.so "$to/usr/lib/$triple/" &&
		mkdir -p "$to/usr/lib/gcc/$triple/$version" &&
		cp -rL "$from/lib/gcc/$triple/$version"/{include,crt*.o,libgcc*} "$to/usr/lib/gcc/$triple/$version/" || return
	cp -L "$from/include"/*.h "$to/usr/include/" && cp -rL "$from/include"/{linux,asm-generic} "$to/usr/include/" &&
		cp -rL "$from/include/$triple"/. "$to/usr/include/$triple/" && cp -r source "$to/source"
}

# vm_prepare_compile NAME: sets vm_compile_dir, which holds root, with /source in it.
vm_prepare_compile() {
	local packages
	packages=$(vm_packages_of "$vm_compile_table" "$1")
	[ -n "$packages" ] || die "source $1: expected one of $(awk '$2 == "source" { print $1 }' <<<"$vm_compile_table" | paste -sd' ')"
	vm_compile_dir=$cache/compile-$1
	vm_is_whole "$vm_compile_dir" "$packages" ||
		vm_unpack "$vm_compile_dir" "$vm_compile_suite" "$packages" arrange_compile
}
