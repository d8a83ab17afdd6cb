#!/bin/bash
# The compose file as people use it, with three workers: a few hundred tasks spread over them; then one worker is killed, one cut off
# the network and the coordinator killed while tasks run, and every task still succeeds. Under a project name and ports of its own.
# 77: no Docker here. With TASKMASTER_REQUIRE_COMPOSE=1 that is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

skip() {
  echo "compose: $*"
  [ "${TASKMASTER_REQUIRE_COMPOSE:-}" != 1 ] || exit 1
  exit 77
}
command -v docker >/dev/null || skip "no docker"
timeout 20 docker info >/dev/null 2>&1 || skip "no Docker daemon answers"
if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose)
else
  skip "neither docker compose nor docker-compose"
fi

project=taskmaster-test-$$
compose+=(-p "$project" -f docker-compose.yml)
free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
TASKMASTER_HTTP_PORT=$(free_port) TASKMASTER_GRPC_PORT=$(free_port)
export TASKMASTER_HTTP_PORT TASKMASTER_GRPC_PORT
api=http://127.0.0.1:$TASKMASTER_HTTP_PORT

finish() {
  rc=$?
  trap - EXIT
  if [ $rc != 0 ]; then
    echo "-- the services' last words"
    "${compose[@]}" ps || true
    "${compose[@]}" logs --tail 40 || true
  fi
  "${compose[@]}" down -v --timeout 5 >/dev/null 2>&1 || true
  exit $rc
}
trap finish EXIT
trap 'exit 143' TERM INT

say() { echo "compose: $*"; }

# submit QUEUE NUMBER COMMAND: one batch.
submit() {
  /usr/bin/python3 -c '
import json, sys
queue, number, command = sys.argv[1:]
task = {"kind": "shell", "queue": queue, "payload": {"command": command}, "retry": {"initial": "100ms"}}
print(json.dumps({"tasks": [task] * int(number)}))' "$1" "$2" "$3" |
    curl -fsS -X POST -H 'Content-Type: application/json' --data-binary @- "$api/v1/tasks/batch" |
    /usr/bin/python3 -c '
import json, sys
results = json.load(sys.stdin)["results"]
bad = [r for r in results if "id" not in r]
sys.exit(f"refused: {bad[0]}" if bad else 0)'
}

# tasks QUEUE FIELD: how often each value of the field occurs, as "3 succeeded" lines.
tasks() {
  /usr/bin/python3 -c '
import collections, json, sys, urllib.parse, urllib.request
api, queue, field = sys.argv[1:]
count, cursor = collections.Counter(), ""
while True:
    page = json.load(urllib.request.urlopen(f"{api}/v1/tasks?queue={queue}&limit=500{cursor}", timeout=30))
    count.update(str(task.get(field)) for task in page["tasks"])
    if not page["next_cursor"]:
        break
    cursor = "&cursor=" + urllib.parse.quote(page["next_cursor"])
for value, number in sorted(count.items()):
    print(number, value)' "$api" "$1" "$2"
}

# all_succeed QUEUE NUMBER SECONDS
all_succeed() {
  local until=$((SECONDS + $3)) states=
  while [ $SECONDS -lt $until ]; do
    states=$(tasks "$1" state || true)
    [ "$states" != "$2 succeeded" ] || return 0
    sleep 0.5
  done
  say "queue $1 after $3 s: ${states//$'\n'/, }"
  return 1
}

# running QUEUE NUMBER: waits until at least that many run.
running() {
  local until=$((SECONDS + 60)) now=
  while [ $SECONDS -lt $until ]; do
    now=$(tasks "$1" state | sed -n 's/ running$//p' || true)
    [ "${now:-0}" -lt "$2" ] || return 0
    sleep 0.2
  done
  say "only ${now:-0} tasks of queue $1 run"
  return 1
}

say "building and starting"
"${compose[@]}" up --build -d --scale worker=3 >"/tmp/$project.log" 2>&1 || { tail -40 "/tmp/$project.log"; rm -f "/tmp/$project.log"; exit 1; }
rm -f "/tmp/$project.log"
until=$((SECONDS + 120))
until curl -fsS "$api/readyz" >/dev/null 2>&1; do
  [ $SECONDS -lt $until ] || { say "no 200 from /readyz within two minutes"; exit 1; }
  sleep 0.5
done
say "ready"

submit spread 300 'sleep 0.1; hostname'
all_succeed spread 300 120
spread=$(tasks spread worker)
[ "$(wc -l <<<"$spread")" = 3 ] || { say "300 tasks ran on: $spread"; exit 1; }
say "300 tasks succeeded, on three workers: $(tr '\n' ',' <<<"$spread")"

mapfile -t workers < <("${compose[@]}" ps -q worker)
submit faults 60 'sleep 1; echo done'
running faults 8
docker kill "${workers[0]}" >/dev/null
docker network disconnect "${project}_default" "${workers[1]}"
say "killed one worker, cut off another"
all_succeed faults 60 180
say "60 tasks succeeded although two workers were lost"

docker network connect "${project}_default" "${workers[1]}"
docker start "${workers[0]}" >/dev/null
submit takeover 60 'sleep 1; echo done'
running takeover 3
coordinator=$("${compose[@]}" ps -q coordinator)
docker kill "$coordinator" >/dev/null
submit takeover 20 'echo accepted without a coordinator'
docker start "$coordinator" >/dev/null
say "killed and started the coordinator"
all_succeed takeover 80 180
say "80 tasks succeeded over its restart"
