#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Inside the guest: what the kernel's side offers, while who decides changes and a CPU goes
# and comes.  After each step a line in /out/offers: its name and the answer of `stats`.
set -u
# shellcheck source=tests/vm/guest_common.sh
. /guest_common.sh

# step NAME COMMAND...: does it and looks.
step() {
	step=$1
	shift
	"$@" >"/out/step-$step" 2>&1 || { cat "/out/step-$step" >&2; exit 1; }
	printf '%s\t%s\n' "$step" "$(mlsched stats --json)" >>/out/offers
}
now() { mlsched model swap --now --watch-after 0 --json "$1"; }

start tuned mlsched run --json --backend scx --interval 1000 --model /models/eager
step begin true
step load mls-workload message -n 20
step shadow mlsched model mode shadow
step collect mlsched model mode collect
step active mlsched model mode active
step unplugged replug 3 0
step untuned now /models/accept
step replugged replug 3 1
step rollback mlsched model rollback
step other now /models/other
mlsched model status --json >/out/status
end

start named mlsched run --json --backend scx --interval 1000 --mechanisms level-large --model /models/eager
step named true
step warned now /models/eager
end

start collected mlsched run --json --backend scx --interval 1000 --mode collect --model /models/eager
step collected true
end
