# shellcheck shell=bash disable=SC2154
# The parameters stand above, see wrapper.nix. Disnix sets no limit to any call, so each wait has one
# here; and whoever waits for the proxy waits for this script, so none is longer than it must be.
set -u

readonly operation=${1:-}
# How long a proxy that was started may take until it answers, in seconds.
readonly start_limit=30
# How long a proxy without clients may take until it has ended, in seconds.
readonly idle_limit=6
# How often to look, in seconds.
readonly moment=0.02

say() { printf 'disnix-tcp-proxy on port %s: %s\n' "$port" "$*" >&2; }

fail() {
  say "$@"
  exit 1
}

# The store path of which this is bin/wrapper: what leads there may be links.
component=$(cd "$(dirname "$0")/.." && readlink -f "$PWD") ||
  fail "Failed to find the component of $0"

# No program on Deno starts where the directory is gone that it is called in. The module may look there
# for its configuration, as supervisorctl does.
proxyctl() (cd / && exec "$proxyctl" --runtime-dir "$directory" "$@")

run_module() { "$module" "$1" "$component"; }

# A string or a number of what proxyctl prints as JSON. Quotes within strings have a backslash before
# them there, so nothing but a name looks like one.
json_value() {
  [[ $2 =~ \"$1\":\"?([^,\"}]*) ]] && printf '%s' "${BASH_REMATCH[1]}"
}

# How many seconds have passed since some time or other, whatever is done to the clock meanwhile.
elapsed() {
  local uptime
  if { read -r uptime _ </proc/uptime; } 2>/dev/null; then
    printf '%s' "${uptime%.*}"
  else
    printf '%s' "$SECONDS"
  fi
}

# Whether a process is gone with all its threads. A parent may be slow to take note.
is_gone() {
  local stat fields
  if [[ ! -e /proc/self/stat ]]; then
    ! kill -0 "$1" 2>/dev/null
    return
  fi
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
  # It may end between being found and being read.
  [[ -n $stat ]] || return 0
  read -r -a fields <<<"${stat##*) }"
  [[ ${fields[0]} == [ZX] && ${fields[17]} -le 1 ]]
}

# Where the module "process" looks for a process; nothing for other modules. A daemon removes this file
# after the proxy is gone; as long as it is there, the module believes that the proxy runs.
pid_file() (
  [[ $module_type == process ]] || exit
  process='' pidFile=''
  for file in "$component"/etc/dysnomia/process/*; do
    # shellcheck source=/dev/null
    [[ -f $file ]] && source "$file"
  done
  [[ -n $process ]] && printf '%s' "${pidFile:-${runtimeDir:-/var/run}/$(basename "$process").pid}"
)

# Removes the PID file of a process that was killed: with it nothing could be stopped or started.
remove_stale_pid_file() {
  local file pid
  file=$(pid_file)
  [[ -n $file && -e $file ]] || return 0
  pid=$(<"$file")
  [[ $pid =~ ^[0-9]+$ ]] && is_gone "$pid" || return 0
  say "Removing $file: process $pid is gone"
  rm -f "$file"
}

# As long as a drain has somebody who waits for it, it goes on.
cancel_lock() {
  local number=$1 drain=${!-}
  trap '' HUP INT TERM
  if [[ -n $drain ]]; then
    kill "$drain" 2>/dev/null
    wait "$drain"
  fi
  say "The lock was cancelled; clients are served as before"
  exit $((128 + number))
}

lock() {
  local code
  trap 'cancel_lock 1' HUP
  trap 'cancel_lock 2' INT
  trap 'cancel_lock 15' TERM
  # A shell that waits for a command in the foreground hears no signals; and one that runs a function
  # in the background does so in another shell, which would get the signal instead of proxyctl.
  (cd / && exec "$proxyctl" --runtime-dir "$directory" drain --owner disnix --exclusive \
    --reason "deployment by Disnix" --timeout "$drain_timeout" --lease "$lease") &
  wait "$!"
  code=$?
  trap - HUP INT TERM
  case $code in
    0) ;;
    3) say "Nothing to lock: no proxy runs" ;;
    4)
      say "Not locked: clients were still active after $drain_timeout. None was cut; all are served" \
        "as before. To see who they are: proxyctl --runtime-dir $directory connections"
      ;;
    5)
      say "Not locked: somebody else has. Wait until that deployment is over; if it was broken off," \
        "end its lock as said above, or wait until its lease has expired"
      ;;
    8)
      is_only_kept || fail "Not locked, see above"
      say "Nothing to lock: no proxy runs, a keeper keeps those who wait"
      code=0
      ;;
    *) say "Not locked, see above" ;;
  esac
  [[ $code == 3 ]] || exit "$code"
}

# Whether there is a keeper, but no proxy.
is_only_kept() {
  local status
  status=$(proxyctl status --json) && [[ $(json_value state "$status") == parked &&
    $(json_value pid "$status") == "$(json_value keeper "$status")" ]]
}

# Dysnomia says that the service was started when it was told to; whether it listens is known to who
# connects to it.
unlock() {
  local code
  proxyctl resume --owner disnix --wait-upstream "$wait_upstream"
  code=$?
  case $code in
    0) ;;
    7)
      fail "Not unlocked: the service behind the proxy has not answered within $wait_upstream. Those who" \
        "wait are held for what is left of the lease of $lease. See why it does not answer; once it" \
        "does: proxyctl --runtime-dir $directory resume --owner disnix"
      ;;
    3) say "Warning: nothing to unlock, no proxy runs" ;;
    5) say "Warning: not unlocked, somebody else holds the drain" ;;
    8) say "Warning: nothing to unlock, no proxy runs; a keeper keeps those who wait" ;;
    *)
      say "Failed to unlock; to do so by hand: proxyctl --runtime-dir $directory resume --force"
      exit "$code"
      ;;
  esac
}

deactivate() {
  local status state='' pid='' code patience=$stop_limit
  status=$(proxyctl status --json)
  code=$?
  if [[ $code == 0 ]]; then
    state=$(json_value state "$status")
    pid=$(json_value pid "$status")
    # Once the proxy is gone, its keeper answers.
    [[ $pid != "$(json_value keeper "$status")" ]] || pid=''
  elif [[ $code != 3 ]]; then
    say "Warning: the proxy does not say how it is; it is stopped all the same"
  fi
  case $state in
    drained)
      patience=$idle_limit
      proxyctl park --for "$park_time" ||
        say "Warning: failed to park the proxy, so those who wait are reset"
      ;;
    draining) say "Warning: the proxy is not drained yet, so those who wait are reset" ;;
  esac
  stop "$pid" "$patience"
}

# Whether the proxy that answers is this process.
is_proxy() {
  local status
  status=$(proxyctl status --json 2>/dev/null) && [[ -n $1 && $(json_value pid "$status") == "$1" ]]
}

# Has the process manager stop the proxy, and waits until it is gone. $1: its process, if it is known;
# $2: how long that may take, in seconds
stop() {
  local pid=$1 patience=$2 file end is_told=''
  remove_stale_pid_file
  run_module deactivate || fail "Failed to deactivate the proxy, see above"
  file=$(pid_file)
  end=$(($(elapsed) + patience))
  until { [[ -z $pid ]] || is_gone "$pid"; } && [[ -z $file || ! -e $file ]]; do
    if (($(elapsed) > end)); then
      [[ -z $is_told ]] ||
        fail "The proxy${pid:+ (process $pid)} does not end: see $log, end it by hand, and deploy again"
      is_told=yes
      end=$(($(elapsed) + stop_limit))
      # One that has succeeded another by itself is unknown to most process managers.
      if is_proxy "$pid"; then
        say "The process manager has not ended process $pid, which is told to end by this script"
        kill "$pid"
      fi
    fi
    sleep "$moment"
  done
}

activate() {
  local before
  remove_stale_pid_file
  before=$(socket_identity)
  if [[ $module_type == process ]]; then
    # The module sleeps for that long when the PID file is not there at once.
    export timeout=${timeout:-0.1}
  fi
  if run_module activate; then
    await_proxy "$before"
    case $? in
      0) return ;;
      1) say "The proxy has ended: see $log" ;;
      *) say "The proxy has not answered at $directory within $start_limit s: see $log" ;;
    esac
  else
    say "Failed to activate the proxy, see above and $log"
  fi
  # Disnix does not deactivate what it failed to activate, and a process manager may try again and
  # again, just when the earlier version is to be back.
  stop '' "$stop_limit"
  exit 1
}

# Which control socket there is: each process makes its own.
socket_identity() { stat -c '%i %z' "$directory/control.sock" 2>/dev/null; }

# Whether what the module has started has ended, where that can be known: neither of these modules
# notices. systemd's does.
has_ended() {
  case $module_type in
    process) [[ ! -e $(pid_file) ]] ;;
    supervisord-program) has_program_ended ;;
    *) false ;;
  esac
}

# supervisord starts a program again that has ended: then it has another process.
has_program_ended() {
  local config name pid
  for config in "$component"/conf.d/*.conf; do
    name=$(basename "$config" .conf)
    [[ $("$supervisorctl" status "$name") =~ BACKOFF|EXITED|FATAL ]] && return
    pid=$("$supervisorctl" pid "$name")
    # Before the first start there is none, and it says 0.
    if [[ $pid =~ ^[0-9]+$ && ($pid != 0 || -n ${first_pid:-}) && $pid != "${first_pid:=$pid}" ]]; then
      return
    fi
  done
  false
}

# Waits until a proxy answers, not just its keeper: 0; 1 if it has ended, 2 if time is over. To ask
# costs more than to see that there is somebody else to be asked; but it may be a proxy that ran
# before. $1: the control socket that there was
await_proxy() {
  local status looked now end
  looked=$(elapsed)
  end=$((looked + start_limit))
  for ((now = looked; now <= end; now = $(elapsed))); do
    # Whole seconds: one has passed for certain, so that there is something to be seen.
    if [[ $(socket_identity) != "$1" ]] || ((now > looked + 1)); then
      if status=$(proxyctl status --json 2>/dev/null) &&
        [[ $(json_value state "$status") != parked ]]; then
        return 0
      fi
    fi
    if ((now > looked + 1)); then
      has_ended && return 1
      looked=$(elapsed)
    fi
    sleep "$moment"
  done
  return 2
}

case $operation in
  '') fail "Usage: wrapper OPERATION" ;;
  lock | unlock | activate | deactivate) "$operation" ;;
  *)
    # Dysnomia's modules end with 0 for an operation that they do not know, so nothing else may be
    # taken for "unknown".
    [[ -x $module ]] || exit 0
    run_module "$operation"
    ;;
esac
