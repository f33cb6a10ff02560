# shellcheck shell=bash
# The part of launch.sh that talks to hosts. A connection is an ssh with one of
# the job's programs at its other end: number 0 is the coordinator, number i is
# train_dist on the i-th host. Connections say in the pipe `events` what happens
# to them: "ready I ADDRESS", "ended I CODE".

readonly heartbeat=5  # seconds between lines to a host
readonly silence=60   # without a line what runs on a host ends itself
readonly ready_mark='charrnn-launch: ready'

# Starts connection $1 in a process group of its own, which Ctrl+C spares.
open_connection() {
  local i=$1 fd
  if is_open "$i"; then return; fi
  rm -f "$work/commands.$i" "$work/stdin.$i" "$work/said.$i"
  mkfifo "$work/commands.$i" "$work/stdin.$i"
  exec {fd}<> "$work/commands.$i"
  commands[i]=$fd
  set -m
  connect "$i" < /dev/null &
  group[i]=$!
  set +m
  opened[i]=$SECONDS
}

# Sends the line $2 to the program's host, if connection $1 is open.
tell() {
  if [[ ${commands[$1]:-} ]]; then echo "$2" >&"${commands[$1]}"; fi
}

# What runs at the other end of connection $1 ends when it hears of this.
close_connection() {
  local fd=${commands[$1]:-}
  if [[ $fd ]]; then exec {fd}>&-; fi
  commands[$1]=
}

# Ends connection $1 on this side, whatever is at the other.
kill_connection() {
  kill -KILL -- "-${group[$1]}" 2> /dev/null || true
  group[$1]=
}

# The life of connection $1.
connect() {
  local i=$1 fd feeder code
  # launch alone may keep these open: when it dies, they are at their end.
  exec 4< "$work/commands.$i"
  for fd in "${commands[@]}"; do
    if [[ $fd ]]; then exec {fd}>&-; fi
  done
  trap - INT TERM HUP EXIT
  set +e
  feed "$i" > "$work/stdin.$i" &
  feeder=$!
  reach "${hosts[i]}" < "$work/stdin.$i" 2>&1 4<&- | show "$i" 4<&-
  code=${PIPESTATUS[0]}
  kill "$feeder" 2> /dev/null
  echo "ended $i $code" >&"$events"
}

# A bash on the host $1, whose script is on stdin.
reach() {
  if [[ $in_slurm ]]; then
    exec srun --nodes=1 --ntasks=1 --overlap --mem=0 --cpu-bind=none --quiet \
      --nodelist="$1" bash -s
  fi
  exec "${ssh_command[@]}" "$1" bash -s
}

# What the host's bash reads in connection $1: functions, variables (secrets
# among them), a call, and then the lines that on_host() waits for.
feed() {
  local i=$1 program=train_dist bin=$host_bin key='' line arguments
  arguments=("--host_name=${hosts[i]}"
    "--nproc_per_node=${slots[i]}" "${train_arguments[@]}")
  if ((i == 0)); then
    program=coordinator
    key=$tls_key
    arguments=("${coordinator_arguments[@]}")
  fi
  declare -f on_host obey stop_job address_of_first clean_up
  declare -p program bin arguments token certificate key folder first_host \
    coordinator silence ready_mark
  echo on_host
  if [[ -e $work/go ]]; then
    # Only the first host may need to be told its address.
    line=go
    if ((i == 1)); then line=$(< "$work/go"); fi
    echo "$line"
  fi
  if ((i == 0)) && [[ -e $work/stop ]]; then echo stop; fi
  while true; do
    if read -r -t "$heartbeat" -u 4 line; then
      echo "$line"
    elif (($? > 128)); then
      echo
    else
      return  # launch has closed the pipe, or is dead
    fi
  done
}

# Shows stdin, what connection $1 says, with the host before each line. What
# comes before on_host() is there is the login's or an error of ssh, of which
# the last line is kept.
show() {
  local i=$1 host=${hosts[$1]} line is_ready='' said=''
  # The job does not end because nobody reads any more.
  trap '' PIPE
  while IFS= read -r line || [[ $line ]]; do
    line=${line%$'\r'}
    if [[ $is_ready ]]; then
      if [[ $line != "[$host]"* && $line != "[$host/"* ]]; then
        line="[$host] $line"
      fi
      printf '%s\n' "$line" >&2 2> /dev/null
    elif [[ $line == "$ready_mark"* ]]; then
      is_ready=1
      echo "ready $i ${line#"$ready_mark"}" >&"$events"
    elif [[ $line ]]; then
      said=$line
    fi
  done
  if [[ ! $is_ready ]]; then echo "${said:-says nothing}" > "$work/said.$i"; fi
}
