# shellcheck shell=bash
# The part of launch.sh that decides: from gathering the hosts, while the job
# runs, to its end. Each on_...() is told of one thing that has happened, and
# none of them waits.

readonly coordinator_away=600  # seconds after which a job is given up
readonly doubt=10              # seconds in which hosts hear of a job's end

phase=gathering  # then running, then over: the job has ended
signals=0        # how many of Ctrl+C and the like have come,
handled=0        # and been seen to
stopping=        # whether the job was asked to save and end
result=0         # the job's exit code, when it is over
deadline=        # when waiting for hosts ends, in this phase

# By number of the connection:
declare -a commands group opened  # launch_connections.sh's
declare -a start_at  # when it is to be made again; empty: it is not
declare -a why       # it was lost
declare -a delay     # from its loss to the next try, seconds
declare -a out       # the exit code with which the host's part has ended
declare -a complaint # what was last said about it

# Of the coordinator:
verdict=         # an exit code of which it is not known whether it is the job's
verdict_at=      # when it counts for the coordinator's own
doubts=0 deaths=0 lost_at='' host_end_at=''
any_done=0  # whether a host has heard of the job's end

# Says that connection $1 cannot be made, unless that was said just now.
complain() {
  local line="${hosts[$1]}: $(< "$work/said.$1")"
  if [[ $line != "${complaint[$1]:-}" && $line != "${complaint[0]:-}" ]]; then
    say "$line"
  fi
  complaint[$1]=$line
  complaint[0]=$line
}

is_open() { [[ ${group[$1]:-} ]]; }

# How many hosts may still be, or become, part of the job.
num_left() {
  local i left=0
  for ((i = 1; i <= num_hosts; ++i)); do
    if [[ ! ${out[i]:-} ]]; then left=$((left + 1)); fi
  done
  echo "$left"
}

# Lets connection $1 be made again after $2 seconds.
retry() {
  start_at[$1]=$((SECONDS + $2))
}

# Retries connection $1 later each time, $2 seconds at least.
retry_later() {
  local i=$1 least=$2
  if ((SECONDS - opened[i] > 60)); then delay[i]=0; fi
  delay[i]=$((2 * ${delay[i]:-0}))
  if ((delay[i] < least)); then delay[i]=$least; fi
  if ((delay[i] > 30)); then delay[i]=30; fi
  retry "$i" "${delay[i]}"
}

# The job has ended with exit code $1: hosts hear of it themselves.
finish() {
  phase=over
  result=$1
  deadline=$((SECONDS + 5))
  start_at=()
}

# Connection $1 has ended, with exit code $2 of the program or of ssh.
on_end() {
  local i=$1 code=$2
  close_connection "$i"
  group[i]=
  if [[ $phase == over ]]; then
    out[i]=$code
  elif [[ -s $work/said.$i ]]; then
    complain "$i"
    if [[ $phase == gathering ]]; then reached[i]=0; fi
    retry_later "$i" 5
  elif [[ $phase == gathering ]]; then
    say "${hosts[i]}: the connection was lost"
    reached[i]=0
    retry_later "$i" 5
  elif ((i == 0)); then
    on_coordinator_end "$code"
  else
    on_host_end "$i" "$code"
  fi
}

on_coordinator_end() {
  local code=$1
  if ((code == 0 || code == 3 && ${stopping:-0})); then
    finish "$code"
  elif ((code == 255)); then
    say "$first_host: the connection to the coordinator was lost"
    lost_at=$SECONDS
    retry 0 5
  elif ((code == 2)); then
    # Or one that is out of sight has the run's folder until it ends itself.
    if [[ ! $lost_at ]] || ((SECONDS - lost_at > 2 * silence)); then end 2; fi
    retry 0 5
  elif ((code == 1 || code == 3)); then
    # Either the job's end, or only the coordinator's. The hosts know.
    verdict=$code
    verdict_at=$((SECONDS + doubt))
    lost_at=
    if ((SECONDS - opened[0] > 60)); then doubts=0; fi
    if [[ $host_end_at ]] && ((SECONDS - host_end_at < doubt)); then
      finish "$code"
    fi
  else
    restart_coordinator "$code"
  fi
}

# The coordinator has ended with code $1 and the job goes on.
restart_coordinator() {
  verdict=
  lost_at=
  if ((SECONDS - opened[0] > 60)); then deaths=0; fi
  deaths=$((deaths + 1))
  if ((deaths > 5)); then
    say "the coordinator has ended $deaths times: giving up"
    end 1
  fi
  say "the coordinator has ended with code $1: starting it again"
  retry 0 1
}

on_host_end() {
  local i=$1 code=$2
  if ((code == 0 || code == 1 || code == 3)); then
    host_end_at=$SECONDS
    if [[ $verdict ]]; then
      out[i]=$code
      finish "$verdict"
      return
    fi
  fi
  case $code in
    0 | 3)
      out[i]=$code
      any_done=1
      ;;
    2)
      out[i]=2
      # A host that comes back too late to a finished job is refused as well.
      if ((! any_done && $(num_left) < min_hosts)); then end 2; fi
      say "${hosts[i]} is not started again; the others go on without it"
      ;;
    255)
      say "${hosts[i]}: the connection was lost"
      retry_later "$i" 1
      ;;
    *)
      why[i]="train_dist has ended with code $code"
      # A failed job's hosts end before its coordinator does.
      if ((code == 1)); then
        retry_later "$i" "$((2 * doubt))"
      else
        retry_later "$i" 1
      fi
      ;;
  esac
}

# Does what a signal asks for.
on_signal() {
  if [[ $phase == running ]] && ((signals == 1)); then
    if [[ $stopping ]]; then return; fi
    stopping=1
    say "stopping: the job saves, and ends; once more ends it at once"
    : > "$work/stop"
    verdict=
    tell 0 stop
    if ! is_open 0; then retry 0 0; fi
  elif [[ $phase == over ]]; then
    end "$result"
  else
    say "ending at once: what was not saved is lost"
    end 3
  fi
}

# What time brings.
tick() {
  local i code=0
  for i in "${!start_at[@]}"; do
    if [[ ! ${start_at[i]} ]] || ((SECONDS < start_at[i])); then continue; fi
    start_at[i]=
    if ((i > 0)) && [[ $stopping ]]; then continue; fi
    if [[ ${why[i]:-} ]]; then
      say "${hosts[i]}: ${why[i]}: starting it again"
      why[i]=
    fi
    open_connection "$i"
  done
  if [[ $verdict && $phase == running ]] && ((SECONDS >= verdict_at)); then
    # A coordinator that cannot even begin says so each time.
    doubts=$((doubts + 1))
    if ((doubts > 1)); then end "$verdict"; fi
    restart_coordinator "$verdict"
  fi
  if [[ $phase == running ]] && ! is_open 0; then
    if [[ $lost_at ]] && ((SECONDS - lost_at > coordinator_away)); then
      say "$first_host: no coordinator for $coordinator_away s: giving up"
      end 1
    fi
    if [[ ! $verdict ]] && (($(num_left) == 0)); then
      for i in "${!out[@]}"; do
        if ((out[i] > code)); then code=${out[i]}; fi
      done
      end "$code"
    fi
  fi
  if [[ $phase == over ]]; then
    for i in "${!hosts[@]}"; do
      if is_open "$i" && ((SECONDS < deadline)); then return; fi
    done
    end "$result"
  fi
}

# Ends all that still runs anywhere, and launch with exit code $1.
end() {
  local code=$1 i kind other
  phase=over
  signals=0
  start_at=()
  deadline=$((SECONDS + 10))
  for i in "${!hosts[@]}"; do close_connection "$i"; done
  for i in "${!hosts[@]}"; do
    while is_open "$i" && ((SECONDS < deadline && signals == 0)); do
      if read -r -t 1 -u "$events" kind other _ && [[ $kind == ended ]]; then
        group[other]=
      fi
    done
    if is_open "$i"; then
      say "${hosts[i]} does not answer: what runs there ends itself within" \
        "$silence s"
      kill_connection "$i"
    fi
  done
  exit "$code"
}
