# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Packs what the guest runs from: sourced by run.  The same inputs give the same
# bytes (deterministic mode depends on it).
#
# Reads $work, $here, $command, $seed, $vm_kernel_dir and the arrays $programs and $files.
# shellcheck disable=SC2154

# vm_put FILE PATH: a file, or a directory with all in it, at PATH in the guest.
vm_put() {
	local to=$root/${2#/}
	[ -e "$1" ] || die "$1: no such file"
	mkdir -p "$(dirname "$to")"
	cp -rL "$1" "$to" || die "cannot copy $1"
}

# vm_strip FROM TO: a program without what differs from one directory of a build to another;
# no instruction depends on that.
vm_strip() { strip --strip-all --remove-section=.note.gnu.build-id --remove-section=.comment -o "$2" "$1"; }

# vm_put_program FILE PATH: with the shared libraries that it needs.  In deterministic mode
# stripped: to unpack what it says of its build takes time, too, and a guest would run
# otherwise than with the same program built elsewhere.
vm_put_program() {
	local library
	[ -x "$1" ] || die "$1: no such program"
	vm_put "$1" "$2"
	if [ -n "$seed" ] && [ "$(head -c 4 "$1" | tr -d '\0')" = $'\x7fELF' ]; then
		vm_strip "$1" "$root/${2#/}" || die "cannot strip $1: is binutils installed?"
	fi
	while read -r library; do
		[ -e "$root$library" ] || vm_put "$library" "$library"
	done < <(ldd "$1" 2>/dev/null | grep -oE '/[^ ]+' | sort -u)
}

# vm_make_initramfs FILE: from the arrays programs ("FILE[=NAME]") and files
# ("FILE=PATH"), the guest's command and the kernel's configuration.
vm_make_initramfs() {
	local item busybox config
	root=$work/root
	umask 022
	mkdir -p "$root"/{bin,boot,dev,etc,out,proc,root,sys,tmp}
	busybox=$(command -v busybox) || die "busybox is missing: install busybox-static"
	vm_put_program "$busybox" /bin/busybox
	for item in ${programs[@]+"${programs[@]}"}; do
		case $item in
		*=*) vm_put_program "${item%%=*}" "/bin/${item#*=}" ;;
		*/*) vm_put_program "$item" "/bin/$(basename "$item")" ;;
		*) vm_put_program "$(command -v "$item" || echo "$item")" "/bin/$item" ;;
		esac
	done
	for item in ${files[@]+"${files[@]}"}; do
		vm_put "${item%%=*}" "${item#*=}"
	done
	# libbpf looks here for the values of extern Kconfig variables.
	for config in "$vm_kernel_dir"/config-*; do
		[ ! -e "$config" ] || vm_put "$config" "/boot/$(basename "$config")"
	done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	printf '%s\n' "$command" >"$root/command"
	install -m 755 "$here/guest-init" "$root/init"
	find "$root" -exec touch -h -d @0 {} +
	(cd "$root" && find . -print0 | LC_ALL=C sort -z |
		cpio --null --create --format=newc --owner=+0:+0 --reproducible --quiet) >"$1" ||
		die "cpio failed: is it installed?"
}
