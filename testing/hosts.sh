# shellcheck shell=bash
# Two hosts on this machine, for scripts that source this: network namespaces,
# which an `ssh` on PATH enters, and `launch` over them, in a folder of its own.

readonly alpha=10.77.0.1
readonly beta=10.77.0.2
here=$PWD  # where the programs are

# Starts the script "$@" anew in a world of its own: processes, mounts and
# networks end with it. Needs no rights beyond those that Linux gives everybody;
# returns where it does not, as in most containers.
enter_own_world() {
  local user world=(--net --mount --pid --fork --mount-proc --kill-child)
  if [[ ${IN_OWN_WORLD:-} ]]; then return; fi
  for user in --user '--user --map-root-user' ''; do
    # shellcheck disable=SC2086
    if unshare $user "${world[@]}" ip link add type veth 2> /dev/null; then
      # shellcheck disable=SC2093,SC2086
      IN_OWN_WORLD=1 exec unshare $user "${world[@]}" "$@"
    fi
  done
  echo "SKIPPED: no network namespaces can be made here"
  exit
}

fail() {
  echo "FAILED: $*"
  cat log
  exit 1
}

# Makes the hosts, and goes to folder $1, which is the same on both.
make_hosts() {
  local host
  mkdir -p "$1/tmp"
  cd "$1" || exit 1
  export TMPDIR=$1/tmp
  unset BUILD_WORKING_DIRECTORY # `bazel run` names the user's
  mount -t tmpfs none /run || exit 1 # where `ip netns` keeps names
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

# The other host can be reached no more, and again.
cut_beta() { ip -n "$beta" link set beta down; }
mend_beta() { ip -n "$beta" link set beta up; }

# A text with something to learn, the same each time.
make_text() {
  local i
  for ((i = 0; i < 300; ++i)); do
    echo "the cat sat on mat $((i * i % 97)) and ran $((i * 7 % 13)) miles"
  done
}

# Starts launch with flags `$@`.
start() {
  : > log
  # Bash lets what it starts in the background ignore Ctrl+C.
  env --default-signal=INT "$here/cmd/launch" --hostfile=hosts "$@" > log \
    2>&1 &
  launch_pid=$!
}

# Returns once launch has printed $1, $2 times if that is given.
await() {
  until (($(grep -c "$1" log) >= ${2:-1})); do
    if [[ ! -d /proc/$launch_pid ]]; then fail "launch ended before '$1'"; fi
    sleep 0.1
  done
}
