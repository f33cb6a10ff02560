# shellcheck shell=bash
# The part of launch.sh that runs on a host: launch sends these functions to a
# `bash -s` there, so that nothing depends on the login shell or stands in a
# command line. What it may use: the variables that connect() sends along.

# Runs one program of the job and ends with its exit code. Reads a line every
# few seconds from stdin: "go", perhaps with this host's address, starts the
# program, "stop" stops the job, and without lines, because the connection or
# launch is gone, all that runs here ends.
on_host() {
  local line='' variable code=0 mask
  # Slurm would be taken for the launcher.
  for variable in "${!SLURM_@}"; do unset "$variable"; done
  mask=$(umask)
  umask 077
  secrets=$(mktemp -d -t charrnn-launch.XXXXXXXXXX) || exit 2
  trap clean_up EXIT
  trap 'exit 129' HUP INT TERM
  echo "$token" > "$secrets/token"
  echo "$certificate" > "$secrets/certificate"
  arguments=("--token_file=$secrets/token" "${arguments[@]}")
  if [[ $key ]]; then
    echo "$key" > "$secrets/key"
    arguments=("--tls_cert=$secrets/certificate" "--tls_key=$secrets/key"
      "${arguments[@]}")
  else
    arguments=("--tls_ca=$secrets/certificate" "${arguments[@]}")
  fi
  umask "$mask"  # the run is as public as the user has it
  if [[ ! -x $bin/$program ]]; then
    echo "there is no program $bin/$program: copy or share the folder, or name" \
      "another one with --bin"
    exit 2
  fi
  echo "$ready_mark $(address_of_first)"
  if ! cd "$folder" 2> /dev/null; then
    echo "launch: there is no folder $folder here: relative paths are those" \
      "of $PWD"
  fi

  until [[ $line == go* ]]; do
    read -r -t "$silence" line || exit 1
  done
  if [[ ${line#go} ]]; then arguments+=("--address=${line#go }"); fi
  set -m  # a process group of its own
  "$bin/$program" "${arguments[@]}" < /dev/null &
  child=$!
  set +m
  obey "$child" <&0 &
  wait "$child" 2> /dev/null || code=$?
  kill "$!" 2> /dev/null
  exit "$code"
}

# Does what stdin says, as long as it says something and on_host() lives, and
# then ends the program, process group $1.
obey() {
  local line
  while read -r -t "$silence" line && kill -0 "$$" 2> /dev/null; do
    if [[ $line == stop ]]; then stop_job "$1" < /dev/null & fi
  done
  clean_up
}

# Asks the coordinator, process group $1, which may still be starting.
stop_job() {
  local said
  while kill -0 -- "-$1" 2> /dev/null; do
    if said=$("$bin/coordinator" --stop --address="$coordinator" \
      --token_file="$secrets/token" --tls_ca="$secrets/certificate" 2>&1); then
      echo "$said"
      return
    fi
    sleep 1
  done
}

# The address of the job's first host as this one knows it, and one of this
# host's own; - for one that is not to be had.
address_of_first() {
  local address='' own=''
  read -r address _ < <(getent ahosts "$first_host")
  read -r own _ < <(hostname -I 2> /dev/null)
  echo "${address:--} ${own:--}"
}

clean_up() {
  if [[ ${child:-} ]]; then kill -KILL -- "-$child" 2> /dev/null; fi
  rm -rf "$secrets"
}
