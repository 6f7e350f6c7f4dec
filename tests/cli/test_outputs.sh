#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What a command writes: never over what it reads, nor over what only somebody else has; and
# whether it can be written is known before the work, not after it.
cd "$(dirname "$0")/../.." && . tests/lib/tap.sh
case $MLSCHED in /*) ;; *) MLSCHED=$PWD/$MLSCHED ;; esac
cd "$tap_tmp" || exit 1

says() {	# name, status, message, command...
	local name=$1 status=$2 message=$3 found
	shift 3
	found=$("$MLSCHED" "$@" 2>&1 >/dev/null)
	same "$name" "$status mlsched $message" "$? $(head -n 1 <<<"$found")"
}
read_only="expected another file than one that is read, found"

"$MLSCHED" train --synthetic seed10 --rows 300 --write-csv rows.csv
"$MLSCHED" sim -q -m 2c1l -w make -p mlsched --seeds 1 --record own.db >/dev/null
sed '1s/$/,note/; 2,$s/$/,mine/' rows.csv >noted.csv
printf '{"tasks": {"t": {"loop": 3, "run": 100, "sleep": 100}}}\n' >load.json
cp own.db own.saved
cp noted.csv noted.saved
cp load.json load.saved
ln own.db other-name.db

# ---- over what is read ------------------------------------------------------------------

says "label --csv does not write over the recording" 1 "label: --csv: $read_only own.db" label own.db --csv own.db
says "nor by another name of it" 1 "label: --csv: $read_only ./other-name.db" label own.db --csv ./other-name.db
says "train --write-csv does not write over its rows" 1 "train: --write-csv: $read_only noted.csv" \
	train noted.csv --write-csv noted.csv -o model
says "nor --checkpoint" 1 "train: --checkpoint: $read_only noted.csv" train noted.csv --checkpoint noted.csv -o model
says "sim --report does not write over a load" 1 "sim: --report: $read_only load.json" \
	sim -q -m 2c1l -w load.json -p eevdf --seeds 1 --report load.json
says "nor over one of a recording's sessions" 1 "sim: --report: $read_only own.db" \
	sim -q -m 2c1l -w own.db:1 -p eevdf --seeds 1 --report own.db
says "nor --trace" 1 "sim: --trace: $read_only own.db" sim -q -m 2c1l -w make,own.db -p eevdf --seeds 1 --trace own.db
for file in own.db noted.csv load.json; do
	check "$file is as it was" cmp "$file" "${file%.*}.saved"
done

# ---- over what somebody else has --------------------------------------------------------

expected="expected a checkpoint of mlsched train to replace, or nothing, found"
says "a checkpoint does not replace another file" 1 "train: own.db: $expected another file" \
	train noted.csv --checkpoint own.db -o model
check "which is as it was" cmp own.db own.saved
mkfifo pipe
says "nor a pipe, which is not waited for" 1 "train: pipe: $expected what is no file" \
	train noted.csv --checkpoint pipe -o model
check "which is one still" test -p pipe
printf 'ml' >short
says "nor a file that is shorter than a checkpoint's first bytes" 1 "train: short: $expected another file" \
	train noted.csv --checkpoint short -o model
mkdir directory
says "a checkpoint to go on from is no directory" 1 "train: directory: Is a directory" \
	train noted.csv --checkpoint directory --resume -o model
check "an empty file is replaced" sh -c ": >new.ckpt; \"$MLSCHED\" train noted.csv --checkpoint new.ckpt --epochs 2 -q -o model"
check "and so is a checkpoint" "$MLSCHED" train noted.csv --checkpoint new.ckpt --epochs 3 -q -o model
check "from which training goes on" "$MLSCHED" train noted.csv --checkpoint new.ckpt --resume --epochs 3 -q -o model

# ---- before the work ----------------------------------------------------------------------

# None of them could be done: so long a run is not begun where its result could not be kept.
forever=(-m 1024c64l -w make --seeds 10000 -p eevdf)
for option in --report --trace; do
	says "sim $option says beforehand that there is no such directory" 1 "sim: no/where: No such file or directory" \
		sim "${forever[@]}" $option no/where
	says "sim $option says beforehand that it is a directory" 1 "sim: directory: Is a directory" \
		sim "${forever[@]}" $option directory
done
says "sim calibrate, too" 1 "sim calibrate: no/where: No such file or directory" \
	sim calibrate --rounds 100000 -o no/where
says "train --checkpoint, too" 1 "train: no/where: No such file or directory" \
	train --synthetic seed10 --rows 1073741824 --checkpoint no/where -o model

# ---- names that are not UTF-8 -------------------------------------------------------------

strange=$'r\xff"\\w'
cp rows.csv "$strange.csv"
cp own.db "$strange.db"
cp load.json "$strange.json"
data() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["provenance"]["data"])' "$1/assets/mlsched.json"; }
check "train takes a table of such a name" "$MLSCHED" train "$strange.csv" -q --epochs 1 -o strange
same "and the model's provenance has it, with a ? for what is no text" 'r?"\w.csv' "$(data strange)"
check "label takes a recording of such a name" "$MLSCHED" label -q "$strange.db" -o labelled
same "and label.json has it" 'r?"\w.db' \
	"$(python3 -c 'import json; print(json.load(open("labelled/label.json"))["recording"])')"
check "sim --trace takes a load of such a name" "$MLSCHED" sim -q -m 2c1l -w "$strange.json" -p eevdf --seeds 1 --trace trace.json
same "and the trace is JSON that has it" 'r???w.json' "$(python3 -c '
import json
print(json.load(open("trace.json"))["traceEvents"][0]["args"]["name"].split(" on ")[0])')"
finish
