#!/bin/bash
# Trains on several hosts: starts the job's coordinator on the first and
# train_dist on each, over ssh or within Slurm, and sees to it that nothing is
# left behind. `bazel run //cmd:launch -- --help` tells the flags.
#
# launch_flags.sh knows what the user wants, launch_connections.sh talks to
# hosts, launch_host.sh is what runs there, launch_gathering.sh waits for them to
# be there, and launch_job.sh decides what is started and ended then.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [[ -d $here/launch.runfiles ]]; then here+=/launch.runfiles/charrnn/cmd; fi
folder=${BUILD_WORKING_DIRECTORY:-$PWD}  # the user's, under `bazel run` too

# shellcheck source=cmd/launch_connections.sh
source "$here/launch_connections.sh"
# shellcheck source=cmd/launch_flags.sh
source "$here/launch_flags.sh"
# shellcheck source=cmd/launch_gathering.sh
source "$here/launch_gathering.sh"
# shellcheck source=cmd/launch_host.sh
source "$here/launch_host.sh"
# shellcheck source=cmd/launch_job.sh
source "$here/launch_job.sh"
# shellcheck source=cmd/launch_kubernetes.sh
source "$here/launch_kubernetes.sh"

# Makes what only this job's processes may know: a token, and a certificate of
# the coordinator's. It is good for a year, not for a day, because workers that
# start anew check it as long as the job runs.
make_secrets() {
  local name=DNS
  if ! type -P openssl > /dev/null; then
    refuse "openssl is missing, which makes the coordinator's certificate:" \
      "install it"
  fi
  if [[ $first_host == *:* || $first_host =~ ^[0-9.]+$ ]]; then name=IP; fi
  # The key goes through a pipe, not through a file.
  if ! tls_key=$(openssl genpkey -algorithm EC \
    -pkeyopt ec_paramgen_curve:prime256v1 2>&1) ||
    ! certificate=$(openssl req -x509 -new -key /dev/stdin -days 365 \
      -subj /CN=charrnn -addext "subjectAltName=$name:$first_host" \
      <<< "$tls_key" 2>&1) || ! token=$(openssl rand -hex 32 2>&1); then
    refuse "openssl makes no certificate for $first_host"
  fi
}

plan() {
  local flag
  coordinator=$first_host:$port
  if [[ $first_host == *:* ]]; then coordinator=[$first_host]:$port; fi
  host_bin=${bin:-$here}
  if [[ $host_bin != /* ]]; then host_bin=$folder/$host_bin; fi
  # One that is started anew has to find the run.
  if [[ ! $run_dir && $resume == false ]]; then
    run_dir=runs/$(date -u +%Y-%m-%dT%H-%M-%S.%3NZ)
  fi
  # Not at the host's name, which the host itself may take for loopback.
  coordinator_arguments=("--listen=0.0.0.0:$port" "--nnodes=$nnodes"
    "--run_dir=$run_dir")
  if [[ $resume == true ]]; then coordinator_arguments+=(--resume); fi
  train_arguments=("--coordinator=$coordinator" "--nnodes=$nnodes")
  for flag in join_window collective_timeout; do
    if [[ ${!flag} ]]; then
      coordinator_arguments+=("--$flag=${!flag}")
      train_arguments+=("--$flag=${!flag}")
    fi
  done
  train_arguments+=("${training_flags[@]}")
  read -ra ssh_command <<< "$ssh"
  if [[ ${ssh_command[0]##*/} == ssh ]]; then
    ssh_command+=(-T -o BatchMode=yes -o ConnectTimeout=10
      -o ServerAliveInterval=15 -o ServerAliveCountMax=4)
  fi
}

# With names for what is made anew each time.
show_plan() {
  local i
  printf '%s: %s/coordinator' "$first_host" "$host_bin"
  printf ' %s' --token_file=TOKEN --tls_cert=CERTIFICATE --tls_key=KEY
  printf ' %q' "${coordinator_arguments[@]}"
  echo
  for ((i = 1; i <= num_hosts; ++i)); do
    printf '%s: %s/train_dist' "${hosts[i]}" "$host_bin"
    printf ' %s' --token_file=TOKEN --tls_ca=CERTIFICATE
    printf ' %q' "--host_name=${hosts[i]}" "--nproc_per_node=${slots[i]}" \
      "${train_arguments[@]}"
    echo
  done
}

clean_up_here() {
  local i
  for i in "${!group[@]}"; do
    if is_open "$i"; then kill_connection "$i"; fi
  done
  rm -rf "$work"
}

launch() {
  local kind i rest
  work=$(mktemp -d -t charrnn-launch.XXXXXXXXXX)
  trap clean_up_here EXIT
  trap 'signals=$((signals + 1))' INT TERM HUP
  trap : PIPE
  mkfifo "$work/events"
  exec {events}<> "$work/events"
  deadline=$((SECONDS + patience))
  for i in "${!hosts[@]}"; do open_connection "$i"; done
  while true; do
    if read -r -t 1 -u "$events" kind i rest; then
      if [[ $kind == ready ]]; then
        on_ready "$i" "$rest"
      else
        on_end "$i" "$rest"
      fi
    fi
    if ((signals > handled)); then
      handled=$((handled + 1))
      on_signal
    fi
    if [[ $phase == gathering ]]; then go; fi
    tick
  done
}

read_flags "$@"
check_flags
if [[ $kubernetes == true ]]; then
  print_manifest
  exit
fi
find_hosts
check_nnodes
plan
if [[ $dry_run == true ]]; then
  show_plan
  exit
fi
make_secrets
launch
