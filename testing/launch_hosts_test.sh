#!/bin/bash
# `launch` and the programs that it starts, as a user has them, on two hosts:
# network namespaces, which an `ssh` on PATH enters. A job that runs to its end,
# one of which a host is cut off, and one that is stopped and goes on all end as
# `train` does, to the bit. Needs no rights beyond those that Linux gives
# everybody; where it does not, in most containers, nothing is tested.
set -uo pipefail

readonly own_world=(--net --mount --pid --fork --mount-proc --kill-child)
readonly alpha=10.77.0.1
readonly beta=10.77.0.2

# Goes on in a world of its own: processes, mounts and networks end with it.
if [[ ! ${IN_OWN_WORLD:-} ]]; then
  for user in --user '--user --map-root-user' ''; do
    # shellcheck disable=SC2086
    if unshare $user "${own_world[@]}" ip link add type veth 2> /dev/null; then
      # shellcheck disable=SC2093,SC2086
      IN_OWN_WORLD=1 exec unshare $user "${own_world[@]}" "$0" "$@"
    fi
  done
  echo "SKIPPED: no network namespaces can be made here"
  exit
fi

here=$PWD
launch=$here/cmd/launch
work=$TEST_TMPDIR/work

fail() {
  echo "FAILED: $*"
  cat "$work/log"
  exit 1
}

make_hosts() {
  local host
  mount -t tmpfs none /run || exit 1  # where `ip netns` keeps names
  for host in "$alpha" "$beta"; do ip netns add "$host" || exit 1; done
  ip link add alpha netns "$alpha" type veth peer name beta netns "$beta"
  ip -n "$alpha" addr add "$alpha/24" dev alpha
  ip -n "$beta" addr add "$beta/24" dev beta
  for host in "$alpha" "$beta"; do ip -n "$host" link set lo up; done
  ip -n "$alpha" link set alpha up
  ip -n "$beta" link set beta up

  mkdir -p /run/path
  cat > /run/path/ssh << 'END'
#!/bin/bash
while [[ $1 == -* ]]; do
  if [[ $1 == -o ]]; then shift; fi
  shift
done
exec ip netns exec "$1" bash -c "${*:2}"
END
  chmod +x /run/path/ssh
  PATH=/run/path:$PATH
}

# A text with something to learn, the same each time.
make_text() {
  local i
  for ((i = 0; i < 300; ++i)); do
    echo "the cat sat on mat $((i * i % 97)) and ran $((i * 7 % 13)) miles"
  done
}

readonly training=(--data_path=text.txt --hidden_dim=16 --embedding_dim=8
  --batch_size=16 --seq_len=16 --num_epochs=2 --log_every=10 --sample_every=0
  --threads=1 --device=cpu)

# Starts launch with flags `$@`.
start() {
  : > log
  # Bash lets what it starts in the background ignore Ctrl+C.
  env --default-signal=INT "$launch" --hostfile=hosts "$@" > log 2>&1 &
  launch_pid=$!
}

# Returns once launch has printed $1.
await() {
  until grep -q "$1" log; do
    if [[ ! -d /proc/$launch_pid ]]; then fail "launch ended before '$1'"; fi
    sleep 0.1
  done
}

# Launch has to end with exit code $1 and to leave nothing behind, once the
# system has cleared away what was killed.
expect_end() {
  local code=0 host left deadline=$((SECONDS + 10))
  wait "$launch_pid" || code=$?
  if ((code != $1)); then fail "launch ended with code $code, not $1"; fi
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

mkdir -p "$work/tmp"
cd "$work" || exit 1
: > log
export TMPDIR=$work/tmp
make_hosts
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
ip -n "$beta" link set beta down
expect_end 0
expect_equal cut
ip -n "$beta" link set beta up

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
