#!/bin/bash
# `launch` and the programs that it starts, as a user has them, on two hosts:
# network namespaces, which an `ssh` on PATH enters. A job that runs to its end,
# one of which a host is cut off, and one that is stopped and goes on all end as
# `train` does, to the bit. Needs no rights beyond those that Linux gives
# everybody; where it does not, in most containers, nothing is tested.
set -uo pipefail

# shellcheck source=testing/hosts.sh
source testing/hosts.sh
enter_own_world "$0" "$@"

readonly training=(--data_path=text.txt --hidden_dim=16 --embedding_dim=8
  --batch_size=16 --seq_len=16 --num_epochs=30 --log_every=10 --sample_every=0
  --threads=1 --device=cpu)

# Launch has to end with exit code $1 and to leave nothing behind, once the
# system has cleared away what was killed.
expect_end() {
  local code=0 host left deadline
  wait "$launch_pid" || code=$?
  if ((code != $1)); then fail "launch ended with code $code, not $1"; fi
  deadline=$((SECONDS + 10))
  for host in "$alpha" "$beta"; do
    while left=$(ip netns pids "$host") && [[ $left ]] &&
      ((SECONDS < deadline)); do
      sleep 0.1
    done
    if [[ $left ]]; then fail "on $host there are processes left: $left"; fi
  done
  left=$(find "$TMPDIR" -mindepth 1)
  if [[ $left ]]; then fail "files are left: $left"; fi
}

# The run $1 has to have ended as `train` has.
expect_equal() {
  local file
  for file in latest/model.safetensors latest/optimizer.safetensors \
    best/model.safetensors; do
    cmp "train/$file" "$1/$file" || fail "$1 differs"
  done
}

make_hosts "$TEST_TMPDIR/work"
: > log
make_text > text.txt
printf '%s slots=2\n%s:1  # the second\n' "$alpha" "$beta" > hosts
"$here/cmd/train" "${training[@]}" --run_dir=train > log 2>&1 ||
  fail "train cannot train"

echo "A job runs to its end."
start --run_dir=whole -- "${training[@]}"
expect_end 0
expect_equal whole
for line in "\[$alpha\] workers *2 " "\[$beta\] workers *1 "; do
  grep -q "$line" log || fail "there is no line '$line'"
done

echo "A host is cut off."
start --run_dir=cut --nnodes=1:2 --collective_timeout=3s -- "${training[@]}"
await "step 20/"
grep -q "training waits for more until 30s after" log ||
  fail "nobody says why the job does not begin"
cut_beta
expect_end 0
expect_equal cut
mend_beta

echo "Ctrl+C stops a job, which goes on later."
start --run_dir=stopped -- "${training[@]}"
await "step 20/"
kill -INT "$launch_pid"
expect_end 3
if [[ $(readlink stopped/latest) == "$(readlink train/latest)" ]]; then
  fail "the job was not stopped"
fi
start --run_dir=stopped --resume
expect_end 0
expect_equal stopped
