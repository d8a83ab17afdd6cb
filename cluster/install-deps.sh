#!/bin/bash
# Installs what building and running TaskMaster needs, from Debian's own packages (12 and 13). Root or sudo. Quick and silent when
# nothing is missing.
#   cluster/install-deps.sh          to build and run
#   cluster/install-deps.sh --test   for tests/run.sh too
#   cluster/install-deps.sh --list   prints the packages and installs nothing (with --test: those of the tests too)
set -euo pipefail

build=(g++ cmake ninja-build ccache pkg-config
       libcaf-dev libgrpc++-dev protobuf-compiler-grpc protobuf-compiler libprotobuf-dev
       libpq-dev libssl-dev libcpp-httplib-dev nlohmann-json3-dev catch2 libcli11-dev libtomlplusplus-dev libspdlog-dev prometheus-cpp-dev
       libhowardhinnant-date-dev libjemalloc-dev)
run=(postgresql tzdata)
test=(clang libclang-rt-dev spin python3 python3-grpcio pgbouncer python3-croniter python3-dateutil curl procps iproute2 ca-certificates git)

wanted=("${build[@]}" "${run[@]}")
list=
for argument in "$@"; do
  case $argument in
    --test) wanted+=("${test[@]}") ;;
    --build) wanted=("${build[@]}") ;; # the image's first stage: no database server in it
    --list) list=yes ;;
    *) echo "usage: install-deps.sh [--test | --build] [--list]" >&2; exit 2 ;;
  esac
done
if [ -n "$list" ]; then
  printf '%s\n' "${wanted[@]}"
  exit 0
fi

command -v dpkg-query >/dev/null || { echo "install-deps.sh: this needs Debian 12 or 13 (no dpkg here)" >&2; exit 1; }
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
missing=()
for package in "${wanted[@]}"; do
  grep -qxF "$package" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root() { "$@"; }
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "install-deps.sh: missing ${missing[*]}; run this as root, or install sudo" >&2
    exit 1
  }
  as_root() { sudo -- "$@"; }
fi

# Debian's postgresql would make and start a cluster of its own at installation, which nobody here uses.
# A drop-in says no for as long as this script runs; what it later does for its owner is not ours to decide.
drop_in=/etc/postgresql-common/createcluster.d/taskmaster-install.conf
cleanup() {
  [ ! -e "$drop_in" ] || as_root rm -f "$drop_in"
  as_root rmdir --ignore-fail-on-non-empty "$(dirname "$drop_in")"
}
if [[ " ${missing[*]} " == *" postgresql "* ]]; then
  trap cleanup EXIT
  as_root mkdir -p "$(dirname "$drop_in")"
  as_root sh -c "echo 'create_main_cluster = false' >'$drop_in'"
fi

echo "installing ${missing[*]}"
apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
log=$(mktemp)
if ! { as_root "${apt[@]}" update && as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -30 "$log" >&2
  echo "install-deps.sh: apt-get failed (above: its last lines; all of them: $log)" >&2
  exit 1
fi
rm -f "$log"
