#!/bin/bash
# The README's two commands on a bare Debian: a fresh container with nothing but git gets this repository's last commit and runs
# ./cluster/up.sh, after which tasks go through and survive a stop and a start; then ./tests/run.sh, where only what needs Docker is
# skipped. Compiles everything from nothing, so it takes the better part of an hour on two cores and is not among the tests of run.sh.
# With CCACHE=DIR (that of a machine of the same Debian, as `ccache -k cache_dir` names it) what was compiled before is looked up instead.
#   tests/bare_container.sh [IMAGE] [--up-only | --without WORD,WORD]
#     IMAGE: debian:bookworm-slim, or debian:trixie-slim; --without leaves scripts out of tests/run.sh, as it says
# Needs Docker, and a network that reaches Debian's packages. 77: no Docker here.
set -euo pipefail
image=debian:bookworm-slim
tests=./tests/run.sh
while [ $# -gt 0 ]; do
  case $1 in
    --up-only) tests= ;;
    --without) tests="./tests/run.sh --without ${2:?}"; shift ;;
    -*) echo "usage: bare_container.sh [IMAGE] [--up-only | --without WORD,WORD]" >&2; exit 2 ;;
    *) image=$1 ;;
  esac
  shift
done
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
timeout 20 docker info >/dev/null 2>&1 || { echo "bare container: no Docker daemon answers"; exit 77; }
[ -z "$(git -C "$root" status --porcelain)" ] || echo "bare container: what is not committed is not tested"

work=$(mktemp -d)
name=taskmaster-bare-$$
trap 'docker rm -f -v "$name" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
trap 'exit 143' TERM INT
git clone -q --bare "$root" "$work/repository.git"
chmod -R a+rX "$work"

cache=()
[ -z "${CCACHE:-}" ] || cache=(-v "$CCACHE:/ccache" -e CCACHE_DIR=/ccache -e CCACHE_BASEDIR=/taskmaster -e CCACHE_NOHASHDIR=1 -e "LANG=${LANG:-C}") # it looks at the locale too

docker run --rm --init --name "$name" "${cache[@]}" -v "$work/repository.git:/repository.git:ro" -e "TESTS=$tests" "$image" bash -euc '
  say() { echo "bare container, $SECONDS s: $*"; }
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends git >/dev/null 2>&1
  git config --global --add safe.directory "*"
  git clone -q /repository.git /taskmaster
  cd /taskmaster
  say "$(. /etc/os-release && echo "$PRETTY_NAME"), commit $(git rev-parse --short HEAD)"
  ./cluster/up.sh
  say "up.sh came back"
  taskmaster=build/release/taskmaster
  heard=$($taskmaster submit --wait=60s --command "echo hello from a task")
  [ "$heard" = "hello from a task" ] || { say "the task said: $heard"; exit 1; }
  $taskmaster list
  ./cluster/up.sh | grep "already running"
  ./cluster/up.sh --stop
  ./cluster/up.sh >/dev/null # its second start, over the data of the first
  [ "$($taskmaster list --output json | grep -c "hello from a task")" -gt 0 ] || { say "the first task is gone"; exit 1; }
  ./cluster/up.sh --stop
  say "up.sh works: started, answered, stopped, started over its data, stopped"
  [ -n "$TESTS" ] || exit 0
  $TESTS # its words are meant to split
  say "run.sh passed"
'
