#!/bin/bash
# Prints how long training stands still when one of two hosts is cut off, from
# the moment of the cut to the other's next step, median and worst:
#
#   ./bazelw run //testing:cut_host_times
set -uo pipefail
# shellcheck source=testing/hosts.sh
source testing/hosts.sh
enter_own_world "$0" "$@"

readonly rounds=${1:-10}

work=$(mktemp -d -t charrnn-hosts.XXXXXXXXXX)
end() {
  if [[ ${launch_pid:-} ]]; then kill -KILL "$launch_pid"; fi
  wait 2> /dev/null
  cd / && rm -rf "$work"
}
trap end EXIT
make_hosts "$work"
make_text > text.txt
printf '%s slots=2\n%s slots=2\n' "$alpha" "$beta" > hosts

# Milliseconds of a clock.
now() { echo "$((${EPOCHREALTIME/./} / 1000))"; }

# Returns once a generation of $1 workers, which is later than line $2 of the
# records, has trained a step.
await_step_of() {
  until tail -n "+$2" run/metrics.jsonl 2> /dev/null |
    awk -v world="\"world_size\":$1," '
      /"event":"generation"/ { there = index($0, world) > 0 }
      /"event":"train"/ && there { trains = 1 }
      END { exit !trains }'; do
    if [[ ! -d /proc/$launch_pid ]]; then fail "launch ended"; fi
    sleep 0.02
  done
}

start --run_dir=run --nnodes=1:2 -- --data_path=text.txt --hidden_dim=32 \
  --embedding_dim=16 --batch_size=16 --seq_len=16 --num_epochs=1000000 \
  --log_every=1 --sample_every=0 --threads=1 --device=cpu
line=1
times=()
for ((round = 0; round < rounds; ++round)); do
  await_step_of 4 "$line"
  line=$(($(wc -l < run/metrics.jsonl) + 1))
  begin=$(now)
  cut_beta
  await_step_of 2 "$line"
  times+=("$(($(now) - begin))")
  line=$(($(wc -l < run/metrics.jsonl) + 1))
  mend_beta
done
printf '%s\n' "${times[@]}" | sort -n | awk '
  { ms[NR] = $1 }
  END {
    printf "a cut host, to the other'\''s next step: median %.1f s  ", \
      ms[int((NR + 1) / 2)] / 1000
    printf "worst %.1f s  of %d\n", ms[NR] / 1000, NR
  }'
