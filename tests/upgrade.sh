#!/bin/bash
# The previous build and this one side by side: migrated while it runs, then part by part replaced, under load.
#   tests/upgrade.sh [COMMIT]       COMMIT: of the previous build, HEAD~1 where none is named; it is built below build/previous
#   OLD=BINARY tests/upgrade.sh     a binary that is there already
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cluster/install-deps.sh --test
if [ -z "${OLD:-}" ]; then
  tree=build/previous
  rm -rf "$tree" && mkdir -p "$tree"
  git archive "${1:-HEAD~1}" | tar -x -C "$tree"
  (cd "$tree" && cmake --preset release -DTASKMASTER_TESTS=OFF >/dev/null && ninja -C build/release -j "$(cluster/build-jobs.sh)" taskmaster)
  OLD=$PWD/$tree/build/release/taskmaster
fi
[ -x build/release/taskmaster ] || { cmake --preset release && ninja -C build/release -j "$(cluster/build-jobs.sh)" taskmaster; }
TASKMASTER_OLD=$OLD exec /usr/bin/python3 tests/chaos/upgrade.py
