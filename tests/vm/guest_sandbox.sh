#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: the sandbox as root, and the daemon's privileges while it
# schedules.  Results in /out.
set -u
# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

CMOCKA_MESSAGE_OUTPUT=TAP test_sandbox >/out/attempts 2>&1
echo $? >/out/attempts.status

# begin NAME OPTION...
begin() {
	run=$1
	shift
	start "$run" mlsched run -v --model /models/refuse "$@"
}

# privileges: what the kernel says of the daemon by now.
privileges() { cat "/proc/$job/status" >"/out/$name.process"; }

begin shadow --backend shadow
privileges
end
begin scx --backend scx
privileges
end
# What would need a process of its own, and lies where the daemon may not read, is read by the client and sent.
begin keras --backend scx --socket /run/keras.sock
mlsched model swap --socket /run/keras.sock /elsewhere/keras.h5 --now --watch-after 0 >/out/keras.swap 2>&1
echo $? >>/out/keras.swap
mlsched model status --socket /run/keras.sock >/out/keras.after 2>&1
echo $? >>/out/keras.after
privileges
end
begin none --backend scx --no-sandbox
privileges
end

# With no more than the systemd unit gives it.
bound=
for capability in $UNIT_CAPABILITIES; do bound=$bound,+$(echo "${capability#CAP_}" | tr "[:upper:]" "[:lower:]"); done
privs --bounding-set=-all"$bound" mlsched run --backend scx --model /models/refuse --duration 0.5 >/out/unit 2>&1
echo $? >/out/unit.status

# A CPU goes and comes: BPF is loaded and attached with what is left of the privileges.
begin reload --json --backend scx --interval 1000
replug 3 0
replug 3 1
privileges
end
dmesg | grep 'audit: type=1326' >/out/audit
:
