#!/bin/bash
# The README's first command on a bare Debian: a fresh container with nothing but git gets this repository's last commit, runs
# ./cluster/up.sh, and a task goes through. Needs Docker and a network that reaches Debian's packages.
#   tests/bare_container.sh [IMAGE]           default debian:bookworm-slim; debian:trixie-slim is the other one
#   tests/bare_container.sh IMAGE --tests     runs ./tests/run.sh in there too
set -euo pipefail
image=${1:-debian:bookworm-slim}
tests=${2:-}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
timeout 20 docker info >/dev/null 2>&1 || { echo "bare container: no Docker daemon answers"; exit 77; }

work=$(mktemp -d)
name=taskmaster-bare-$$
trap 'docker rm -f "$name" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
trap 'exit 143' TERM INT
git clone -q --bare "$root" "$work/repository.git"
chmod -R a+rX "$work"

docker run --rm --init --name "$name" -v "$work/repository.git:/repository.git:ro" -e "TESTS=$tests" "$image" bash -euc '
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends git >/dev/null 2>&1
  git config --global --add safe.directory "*"
  git clone -q /repository.git /taskmaster
  cd /taskmaster
  ./cluster/up.sh
  taskmaster=build/release/taskmaster
  said=$($taskmaster submit --wait=60s --command "echo hello from a task")
  [ "$said" = "hello from a task" ] || { echo "bare container: the task said: $said"; exit 1; }
  $taskmaster list
  ./cluster/up.sh                     # again: says that it runs already
  $taskmaster submit --command "echo kept" >/tmp/id
  ./cluster/up.sh --stop
  ./cluster/up.sh
  $taskmaster wait "$(cat /tmp/id)" --timeout 60s
  ./cluster/up.sh --stop
  echo "bare container: up.sh works"
  [ "$TESTS" != --tests ] || ./tests/run.sh
'
