# shellcheck shell=bash
# The part of launch.sh that reads its flags and finds the hosts.

# Goes on where nobody is left to read it.
say() { printf 'launch: %s\n' "$*" >&2 2> /dev/null || true; }

# Ends with the exit code of bad input.
refuse() {
  say "$@"
  exit 2
}

usage() {
  cat << 'END'
Trains on several hosts, or prints a Kubernetes manifest for it.

Usage: launch --hostfile=FILE [flags] -- TRAINING_FLAGS...

TRAINING_FLAGS are those of train_dist. Ctrl+C saves and ends the job, and once
more ends it at once. The exit code is the job's: 0 finished, 1 failed, 2 bad
input, 3 stopped.

  --hostfile=""
      File with a host a line: HOST, HOST:WORKERS or HOST slots=WORKERS; a #
      begins a comment. The coordinator is on the first. Empty: the hosts that
      Slurm has given to this job.
  --nnodes=""
      Hosts that train together: N, or MIN:MAX to begin with MIN of them and go
      on as long as so many are left; empty: all.
  --run_dir=""
      Folder of the run, on the first host; empty: runs/<UTC time>, or with
      --resume runs/latest.
  --resume=false
      Go on with the run in --run_dir from its newest checkpoint.
  --bin=""
      Folder of the programs on the hosts; empty: where launch's own are.
  --port=29400
      Where the coordinator listens.
  --join_window="" and --collective_timeout=""
      As train_dist has them.
  --ssh="ssh"
      How a host is reached, as in "ssh -p 2222 -l me". Nothing is asked for:
      keys or an agent have to let you in.
  --dry_run=false
      Only show what would be started.
  --kubernetes=false
      Print a manifest, with a new secret in it, for kubectl apply -f -; wants
      --image and --nnodes.
  --image=""
      Container image that has the programs, in --bin or else on its PATH.
END
}

# What the flags say, by their names.
hostfile='' nnodes='' run_dir='' resume=false bin='' port=29400 join_window=''
collective_timeout='' ssh=ssh dry_run=false kubernetes=false image=''
training_flags=()

# Reads --name=value, --name value, and --name of those that are true or false.
read_flags() {
  local name value
  while (($#)); do
    if [[ $1 == -- ]]; then
      training_flags=("${@:2}")
      return
    fi
    if [[ $1 == --help || $1 == -h ]]; then
      usage
      exit 0
    fi
    if [[ $1 != -* ]]; then
      refuse "unexpected argument '$1': flags for training stand behind --"
    fi
    name=${1#-}
    name=${name#-}
    value=${name#*=}
    if [[ $name == *=* ]]; then
      name=${name%%=*}
    elif [[ $name =~ ^(resume|dry_run|kubernetes)$ ]]; then
      value=true
    else
      if (($# < 2)); then refuse "--$name: needs a value, as in --$name=VALUE"; fi
      value=$2
      shift
    fi
    shift
    case $name in
      hostfile | nnodes | run_dir | bin | port | join_window | \
        collective_timeout | ssh | image)
        printf -v "$name" %s "$value"
        ;;
      resume | dry_run | kubernetes)
        if [[ $value != true && $value != false ]]; then
          refuse "--$name=$value: must be true or false"
        fi
        printf -v "$name" %s "$value"
        ;;
      *) refuse "unknown flag --$name; --help lists the flags, and those for" \
        "training stand behind --" ;;
    esac
  done
}

check_flags() {
  local flag
  local of_launch='run_dir|resume|nnodes|join_window|collective_timeout'
  local given_by_launch='coordinator|host_name|insecure|tls_ca|tls_cert|tls_key'
  given_by_launch+='|token_file'
  if [[ ! $ssh =~ [^[:space:]] ]]; then
    refuse "--ssh: must be a command, as in --ssh=\"ssh -p 2222\""
  fi
  if [[ ! $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then
    refuse "--port=$port: must be a number from 1 to 65535"
  fi
  for flag in "${training_flags[@]}"; do
    if [[ $flag =~ ^--?(no)?($of_launch)(=.*)?$ ]]; then
      refuse "$flag: stands before the --, for it is launch's"
    elif [[ $flag =~ ^--?(no)?($given_by_launch)(=.*)?$ ]]; then
      refuse "$flag: launch gives it to each host itself"
    fi
  done
}

# Which hosts there are, from which file or from Slurm.
declare -a hosts slots
find_hosts() {
  local lines host count
  in_slurm=
  if [[ $hostfile ]]; then
    if [[ ! -x $here/hostfile ]]; then
      refuse "$here/hostfile is not there: start launch by" \
        "\`bazel run //cmd:launch\`"
    fi
    # Its errors begin with its own name.
    if ! lines=$(cd "$folder" && "$here/hostfile" "$hostfile" 2>&1); then
      refuse "${lines#hostfile: }"
    fi
  elif [[ ${SLURM_JOB_ID:-} ]]; then
    in_slurm=1
    if ! lines=$(scontrol show hostnames "${SLURM_JOB_NODELIST:-}" 2>&1); then
      refuse "Slurm does not tell the job's hosts: $lines"
    fi
  else
    refuse "name the hosts with --hostfile=FILE, or start launch in a job of" \
      "Slurm"
  fi
  hosts=('') slots=(0)  # number 0 is the coordinator
  while read -r host count; do
    hosts+=("$host")
    count=${count:-${SLURM_NTASKS_PER_NODE:-0}}
    if ((count == 0)); then count=auto; fi
    slots+=("$count")
  done <<< "$lines"
  num_hosts=$((${#hosts[@]} - 1))
  first_host=${hosts[1]}
  hosts[0]=$first_host
}

check_nnodes() {
  nnodes=${nnodes:-$num_hosts}
  if [[ ! $nnodes =~ ^[1-9][0-9]{0,4}(:[1-9][0-9]{0,4})?$ ]]; then
    refuse "--nnodes=$nnodes: must be a number of hosts, or MIN:MAX, each at" \
      "least 1"
  fi
  min_hosts=${nnodes%:*}
  if ((min_hosts > ${nnodes#*:})); then
    refuse "--nnodes=$nnodes: MIN is more than MAX"
  fi
  if ((min_hosts > num_hosts)); then
    refuse "--nnodes=$nnodes: there are only $num_hosts hosts, fewer than MIN"
  fi
  if ((${nnodes#*:} < num_hosts)); then
    refuse "--nnodes=$nnodes: there are $num_hosts hosts, more than may train"
  fi
}
