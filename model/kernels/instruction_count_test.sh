#!/bin/bash
# Holds the number of instructions of a training step, on AVX2, which valgrind
# knows, against what it was: unlike time it is the same on every machine. When
# it has risen on purpose, or fallen, write down the new one below.
set -euo pipefail

program=$1
if ! type -P valgrind > /dev/null; then
  echo "SKIPPED: there is no valgrind to count with (./bazelw installs it)"
  exit 0
fi

# counted NETWORK LAYERS STEPS: all instructions of a run of the program.
counted() {
  local log=$TEST_TMPDIR/log status=0
  valgrind --tool=callgrind --callgrind-out-file=/dev/null \
    "$program" "$@" > "$log" 2>&1 || status=$?
  if ((status)); then
    cat "$log" >&2
    return $status
  fi
  sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$log"
}

failed=0
# check NETWORK LAYERS THOUSANDS: a step, without what the first one and the
# start cost. Compilers differ by some hundredths.
check() {
  local few many step status=0
  few=$(counted "$1" "$2" 1) || status=$?
  if ((status == 77)); then
    echo "SKIPPED: this CPU has no AVX2"
    exit 0
  elif ((status)); then
    exit 1
  fi
  many=$(counted "$1" "$2" 3)
  step=$(((many - few) / 2000))
  echo "$1 of $2: $step thousand instructions a step, it was $3"
  if ((step * 100 > $3 * 105 || step * 100 < $3 * 85)); then
    echo "FAILED: more than 5 % above, or 15 % below"
    failed=1
  fi
}

check GRU 1 9958
check LSTM 2 29062
exit $failed
