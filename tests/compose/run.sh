#!/bin/bash
# The compose file as people use it, built from source, with three workers: the original project's curl commands; some hundreds of tasks
# that spread over the workers; then, while tasks run, one worker is killed and one cut off the network, and later the coordinator is
# killed, and every acknowledged task still succeeds; at the end everyone leaves in order. Under a project name, an image name and
# ports of its own; `down -v` whatever happens.
# 77: no Docker here. With TASKMASTER_REQUIRE_COMPOSE=1 that is a failure. Compose v2, or v1 by COMPOSE=docker-compose.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { echo "compose: $*"; }
skip() {
  say "$*"
  [ "${TASKMASTER_REQUIRE_COMPOSE:-}" != 1 ] || exit 1
  exit 77
}
command -v docker >/dev/null || skip "no docker"
timeout 20 docker info >/dev/null 2>&1 || skip "no Docker daemon answers"
if [ -n "${COMPOSE:-}" ]; then
  read -ra compose <<<"$COMPOSE"
elif docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose)
else
  skip "neither docker compose nor docker-compose"
fi

project=taskmaster-test-$$
compose+=(-p "$project" -f docker-compose.yml)
work=$(mktemp -d)
export TASKMASTER_HTTP_PORT TASKMASTER_GRPC_PORT TASKMASTER_IMAGE=taskmaster-test
read -r TASKMASTER_HTTP_PORT TASKMASTER_GRPC_PORT < <(/usr/bin/python3 tests/python/ports.py 2)
api=http://127.0.0.1:$TASKMASTER_HTTP_PORT
ask() { /usr/bin/python3 tests/compose/tasks.py "$api" "$@"; }

image_id() { docker image inspect -f '{{.Id}}' "$TASKMASTER_IMAGE" 2>/dev/null || true; }
before=$(image_id)

finish() {
  rc=$?
  trap '' EXIT TERM INT
  if [ $rc != 0 ]; then
    say "failed; the services' last words:"
    "${compose[@]}" ps -a || true
    "${compose[@]}" logs --no-color --tail 40 || true
  fi
  "${compose[@]}" down -v --remove-orphans --timeout 5 >"$work/down.log" 2>&1 || { cat "$work/down.log"; rc=1; }
  # The image stays, for its layers; the one of an earlier run that it has replaced goes.
  [ -z "$before" ] || [ "$before" = "$(image_id)" ] || docker image rm "$before" >/dev/null 2>&1 || true
  rm -rf "$work"
  exit $rc
}
trap finish EXIT
trap 'exit 143' TERM INT

# outcome FILE SECONDS: everything acknowledged has succeeded; leaves the lines in $work/seen.
outcome() {
  ask outcome "$1" "$2" >"$work/seen" || { cat "$work/seen"; say "not every task of $(basename "$1") succeeded"; exit 1; }
}
seen() { awk -v what="$1" '$1 == what { print $NF }' "$work/seen"; }

start=$SECONDS
"${compose[@]}" up --build -d --scale worker=3 >"$work/up.log" 2>&1 || { tail -40 "$work/up.log"; exit 1; }
say "built and started in $((SECONDS - start)) s, an image of $(docker image inspect -f '{{.Size}}' "$TASKMASTER_IMAGE" | awk '{ print int($1 / 1e6) }') MB"
start=$SECONDS
until [ "$(docker ps -q --filter "label=com.docker.compose.project=$project" --filter health=healthy | wc -l)" = 6 ]; do
  [ $((SECONDS - start)) -lt 120 ] || { say "not six healthy containers within two minutes"; exit 1; }
  sleep 0.5
done
curl -fsS "$api/readyz" >/dev/null
user=$("${compose[@]}" exec -T scheduler id -un)
[ "$user" = taskmaster ] || { say "the service runs as $user"; exit 1; }
say "six containers healthy after $((SECONDS - start)) s: $(ask workers 3 30)"

# The original project's commands, with its port.
answer=$(curl -fsS -X POST "$api/schedule" -d '{"command":"echo hello","scheduled_at":"2023-12-25T22:34:00+05:30"}')
id=$(sed -nE 's/.*"task_id" *: *"([^"]+)".*/\1/p' <<<"$answer")
[ -n "$id" ] || { say "POST /schedule answered $answer"; exit 1; }
start=$SECONDS
until status=$(curl -fsS "$api/status?task_id=$id") && [[ $status == *completed_at* ]]; do
  [ $((SECONDS - start)) -lt 30 ] || { say "GET /status answers $status"; exit 1; }
  sleep 0.1
done
say "/schedule and /status work: $status"

ask submit "$work/spread" spread 300 'sleep 0.1; hostname'
outcome "$work/spread" 120
[ "$(seen worker | wc -l)" = 3 ] || { cat "$work/seen"; say "300 tasks did not spread over three workers"; exit 1; }
say "300 tasks succeeded, spread $(seen worker | paste -sd/) over the three workers"

mapfile -t workers < <("${compose[@]}" ps -q worker)
ask submit "$work/faults" faults 300 'sleep 0.3; echo done'
ask running "$work/faults" 2 60 >/dev/null
docker kill "${workers[0]}" >/dev/null
docker network disconnect "${project}_default" "${workers[1]}"
start=$SECONDS
ask submit "$work/faults" faults 50 'echo submitted after the faults'
ask workers 1 60 >/dev/null
say "killed one worker and cut another off while tasks ran; one is left after $((SECONDS - start)) s"
outcome "$work/faults" 180
[ "$(seen interrupted)" -ge 2 ] || { cat "$work/seen"; say "the faults interrupted nothing, so they showed nothing"; exit 1; }
say "350 of 350 acknowledged tasks succeeded, $(seen interrupted) of them after a lost worker had begun them"

docker network connect "${project}_default" "${workers[1]}"
docker start "${workers[0]}" >/dev/null
say "both came back: $(ask workers 3 60)"

ask submit "$work/takeover" takeover 100 'sleep 0.3; echo done'
ask running "$work/takeover" 1 60 >/dev/null
coordinator=$("${compose[@]}" ps -q coordinator)
docker kill "$coordinator" >/dev/null
ask submit "$work/takeover" takeover 50 'echo accepted without a coordinator'
docker start "$coordinator" >/dev/null
outcome "$work/takeover" 180
say "150 of 150 succeeded over the coordinator's death"

# In order: running tasks finish or are handed back, everyone ends by itself before Docker's patience does.
ask submit "$work/leaving" leaving 100 'sleep 0.3; echo done'
ask running "$work/leaving" 1 60 >/dev/null
start=$SECONDS
"${compose[@]}" stop >"$work/stop.log" 2>&1 || { cat "$work/stop.log"; exit 1; }
took=$((SECONDS - start))
codes=$(docker ps -aq --filter "label=com.docker.compose.project=$project" | xargs docker inspect -f '{{index .Config.Labels "com.docker.compose.service"}}={{.State.ExitCode}}' | sort)
[ -z "$(grep -v '=0$' <<<"$codes")" ] || { say "after stop: ${codes//$'\n'/ }"; exit 1; }
"${compose[@]}" start >"$work/start.log" 2>&1 || { cat "$work/start.log"; exit 1; }
outcome "$work/leaving" 180
say "stopped in order within $took s with tasks waiting (every exit code 0), started again: 100 of 100 succeeded"
