# shellcheck shell=bash
# The part of launch.sh that gathers the hosts: programs are started on all of
# them at once, when all can be reached, or enough of them after a while.

readonly patience=60  # seconds until all hosts must have answered

declare -a reached  # by number of the connection: 1 it is there, 0 it failed

# Of the first host, as on_ready() comes to know them:
address_at_home=''     # the one that it takes for its own
address_of_its_own=''  # one that others may know
address_abroad=''      # the one by which others know it

# Connection $1 is there; $2 is what address_of_first() says there.
on_ready() {
  local known=${2%% *} own=${2#* }
  if [[ $known == - ]]; then known=; fi
  if [[ $own == - ]]; then own=; fi
  reached[$1]=1
  complaint[$1]=
  if (($1 == 1)); then
    address_at_home=$known
    address_of_its_own=$own
  elif (($1 > 1)) && [[ $known && $known != 127.* && $known != ::1 ]]; then
    address_abroad=$known
  fi
}

# Starts the programs once enough hosts are there.
go() {
  local i usable=0 undecided=0 line=go
  for ((i = 0; i <= num_hosts; ++i)); do
    case ${reached[i]:-} in
      1) if ((i > 0)); then usable=$((usable + 1)); fi ;;
      0) if ((i <= 1)); then end 2; fi ;;
      *) undecided=$((undecided + 1)) ;;
    esac
  done
  if ((usable + undecided < min_hosts)); then end 2; fi
  if ((undecided && SECONDS < deadline)); then return; fi
  for ((i = 0; i <= num_hosts; ++i)); do
    if [[ ! ${reached[i]:-} ]]; then
      say "${hosts[i]}: has not answered for $patience s"
      if ((i <= 1 || usable < min_hosts)); then end 2; fi
    fi
  done
  # Where the first host takes its own name for loopback, as Debian has it in
  # /etc/hosts, its workers would not be found by the others. Those that have
  # not come yet may know it by any address of its own.
  if ((usable < num_hosts)); then
    address_abroad=${address_abroad:-$address_of_its_own}
  fi
  if [[ $address_at_home == 127.* || $address_at_home == ::1 ]] &&
    [[ $address_abroad ]]; then
    line="go $address_abroad"
  fi
  phase=running
  echo "$line" > "$work/go"
  for ((i = 0; i <= num_hosts; ++i)); do
    if ((i == 1)); then tell 1 "$line"; else tell "$i" go; fi
  done
  say "run ${run_dir:-runs/latest} on $first_host, $usable of $num_hosts hosts," \
    "coordinator $coordinator"
}
