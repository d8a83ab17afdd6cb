#!/bin/bash
# Real faults against real processes, with a checker outside of them: kills, freezes, cuts, a full disk, restarts, an outage and a failover of
# PostgreSQL. Writes what it saw to docs/reliability.md. Some twenty minutes; as root, for the disk that gets full (else that fault is left out).
#   tests/chaos.sh [--rate N] [FAULT…]        names of faults: only these, and no report
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cluster/install-deps.sh --test
[ -x build/release/taskmaster ] || { cmake --preset release && ninja -C build/release -j "$(cluster/build-jobs.sh)" taskmaster; }
report=(--report docs/reliability.md)
for argument in "$@"; do [[ $argument == [a-z]* ]] && report=(); done
exec /usr/bin/python3 tests/chaos/chaos.py "${report[@]}" "$@"
