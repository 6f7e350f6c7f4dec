#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# install.sh BUILD_DIR DESTDIR PREFIX VERSION
set -eu -o pipefail
cd "$(dirname "$0")/.."
build=$1 dest=$2$3 prefix=$3 version=$4

install -d "$dest/bin" "$dest/lib/pkgconfig" "$dest/include/mlsched" "$dest/share/doc/mlsched"
install -m 755 "$build/mlsched" "$dest/bin/"
# By this name it is a scheduler like others: what SCX_SCHEDULER of /etc/default/scx can name.
ln -sf mlsched "$dest/bin/scx_mlsched"
install -m 755 "$build/libmlsched.so.$version" "$dest/lib/"
ln -sf "libmlsched.so.$version" "$dest/lib/libmlsched.so.0"
ln -sf libmlsched.so.0 "$dest/lib/libmlsched.so"
install -m 644 "$build/libmlsched.a" "$dest/lib/"
install -m 644 include/mlsched/*.h "$dest/include/mlsched/"
install -d "$dest/share/doc/mlsched/examples"
install -m 644 examples/* "$dest/share/doc/mlsched/examples/"
# What `mlsched run` takes when nobody names a model.
(cd models/default && find . -type f -exec install -D -m 644 {} "$dest/share/mlsched/model/{}" \;)
for page in README.md CHANGELOG.md LICENSE docs/*.md; do
	[ ! -e "$page" ] || install -m 644 "$page" "$dest/share/doc/mlsched/"
done
for page in man/*.[1-8]; do
	[ -e "$page" ] || continue
	install -D -m 644 "$page" "$dest/share/man/man${page##*.}/${page##*/}"
done
ln -sf mlsched-run.1 "$dest/share/man/man1/scx_mlsched.1"
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$version|" packaging/mlsched.pc.in \
	>"$dest/lib/pkgconfig/mlsched.pc"
# systemd looks here for both /usr and /usr/local; nothing is enabled.
install -d "$dest/lib/systemd/system"
sed "s|@PREFIX@|$prefix|" packaging/mlsched.service.in >"$dest/lib/systemd/system/mlsched.service"
# Into the running system: its loader must hear of the library.
if [ -z "$2" ] && [ "$(id -u)" -eq 0 ] && [ -x /sbin/ldconfig ]; then /sbin/ldconfig; fi
echo "installed mlsched $version in $dest"
