#!/bin/bash
# From a fresh Debian 12 or 13 to a service that answers: installs what is missing, builds release, starts everything in one process
# over a private PostgreSQL, and returns when it accepts tasks.
#   cluster/up.sh [OPTIONS OF `taskmaster up`]     start in the background
#   cluster/up.sh --foreground [OPTIONS]           stay attached; Ctrl-C stops it
#   cluster/up.sh --stop                           stop what was started in the background (drains first)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
binary=$PWD/build/release/taskmaster
pid_file=$PWD/build/up.pid
log=$PWD/build/up.log

foreground=
stop=
options=()
for argument in "$@"; do
  case $argument in
    --foreground) foreground=yes ;;
    --stop) stop=yes ;;
    *) options+=("$argument") ;;
  esac
done

# The process we started, if it still is there: numbers are used again.
running_pid() {
  local pid
  pid=$(cat "$pid_file" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = taskmaster ] && echo "$pid"
}

if [ -n "$stop" ]; then
  pid=$(running_pid) || { echo "nothing was started by up.sh here, or it has ended"; rm -f "$pid_file"; exit 0; }
  kill -TERM "$pid"
  for ((i = 0; i < 600; ++i)); do
    kill -0 "$pid" 2>/dev/null || { rm -f "$pid_file"; echo "stopped"; exit 0; }
    sleep 0.1
  done
  echo "process $pid still finishes its tasks; call again to stop it at once" >&2
  exit 1
fi

# `--http 127.0.0.1:8081` or `--http=…`, else the environment, else the default.
http=${TASKMASTER_HTTP:-127.0.0.1:8081}
grpc=${TASKMASTER_GRPC:-127.0.0.1:8080}
data=${TASKMASTER_DATA:-$([ "$(id -u)" = 0 ] && echo /var/lib/taskmaster || echo "${XDG_DATA_HOME:-${HOME:-.}/.local/share}/taskmaster")}
[ -z "${TASKMASTER_DATABASE:-}" ] || data="the database given"
for ((i = 0; i < ${#options[@]}; ++i)); do
  case ${options[i]} in
    --http) http=${options[i + 1]:-} ;;
    --http=*) http=${options[i]#--http=} ;;
    --grpc) grpc=${options[i + 1]:-} ;;
    --grpc=*) grpc=${options[i]#--grpc=} ;;
    --data) data=${options[i + 1]:-} ;;
    --data=*) data=${options[i]#--data=} ;;
    --database | --database=*) data="the database given" ;;
  esac
done
if [ -z "$foreground" ] && { [ "${http##*:}" = 0 ] || [ "${grpc##*:}" = 0 ]; }; then
  echo "up.sh: port 0 (any free one) goes with --foreground, whose first log lines say which it is" >&2
  exit 2
fi

# 200 from /readyz; bash's own sockets, since a bare Debian has no curl.
ready() {
  local host=${http%:*} line=
  [ "$host" != 0.0.0.0 ] || host=127.0.0.1
  { exec 3<>"/dev/tcp/$host/${http##*:}"; } 2>/dev/null || return 1
  printf 'GET /readyz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$http" >&3
  read -r -t 5 line <&3 || true
  exec 3>&-
  [[ $line == *" 200 "* ]]
}

cluster/install-deps.sh
[ -x "$binary" ] || echo "The first build takes 5 to 15 minutes on two cores; later starts take seconds."
cluster/build.sh taskmaster

[ -z "$foreground" ] || exec "$binary" up "${options[@]}"

say_how() {
  cat <<TEXT

TaskMaster answers: HTTP http://$http, gRPC $grpc (process $1)
  data  $data
  log   ${log/#"$PWD"\//}
  stop  ./cluster/up.sh --stop

Try it:
  alias taskmaster=$binary
  taskmaster submit --server $http --wait --command 'echo hello from \$(hostname)'
  taskmaster submit --server $http --delay 5s --command 'date'
  taskmaster list --server $http
TEXT
}

if pid=$(running_pid) && ready; then
  echo "already running"
  say_how "$pid"
  exit 0
fi

if ready; then
  echo "up.sh: something else already answers at $http; stop it, or choose another port with --http" >&2
  exit 1
fi
setsid "$binary" up "${options[@]}" </dev/null >"$log" 2>&1 3>&- &
pid=$!
echo "$pid" >"$pid_file"
for ((i = 0; i < 1200; ++i)); do
  if ready; then
    say_how "$pid"
    exit 0
  fi
  if ! kill -0 "$pid" 2>/dev/null; then
    rm -f "$pid_file"
    tail -20 "$log" >&2
    echo "up.sh: taskmaster ended before it answered (above: the end of $log)" >&2
    exit 1
  fi
  sleep 0.1
done
kill -TERM "$pid" 2>/dev/null || true
rm -f "$pid_file"
tail -20 "$log" >&2
echo "up.sh: no answer from http://$http/readyz within two minutes (above: the end of $log)" >&2
exit 1
