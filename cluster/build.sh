#!/bin/bash
# Configures and builds the release, and says how far it is: "step 12 of 188, about 9 minutes left". Used by up.sh and tests/run.sh.
#   cluster/build.sh [--tests] [TARGET...]    --tests: configure the tests too; without a TARGET everything is built
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tests=()
targets=()
for argument in "$@"; do
  case $argument in
    --tests) tests=(-DTASKMASTER_TESTS=ON) ;;
    -*) echo "usage: build.sh [--tests] [TARGET...]" >&2; exit 2 ;;
    *) targets+=("$argument") ;;
  esac
done

mkdir -p build
if [ ! -f build/release/build.ninja ] || [ ${#tests[@]} -gt 0 ]; then
  cmake --preset release "${tests[@]}" >build/configure.log 2>&1 || { tail -30 build/configure.log >&2; exit 1; }
fi

# Passes ninja's words on, but makes one line of the steps: rewritten in place on a terminal, else one at most every fifteen seconds.
show_progress() {
  local line start=$SECONDS said=$SECONDS shown= left elapsed
  while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\  ]]; then
      local step=${BASH_REMATCH[1]} steps=${BASH_REMATCH[2]}
      elapsed=$((SECONDS - start))
      left=
      # The first steps say little of those to come.
      if ((elapsed >= 10 && step >= 5)); then
        left=$(((elapsed * (steps - step) / step + 30) / 60))
        if ((left > 1)); then left=", about $left minutes left"; elif ((step < steps)); then left=", about a minute left"; else left=; fi
      fi
      if [ -t 1 ]; then
        printf '\r\033[Kbuild: step %d of %d%s' "$step" "$steps" "$left"
        shown=yes
      elif ((SECONDS - said >= 15)); then
        said=$SECONDS
        echo "build: step $step of $steps$left"
      fi
    else
      [ -z "$shown" ] || printf '\r\033[K'
      shown=
      [[ $line == "ninja: no work to do." || $line == ninja:\ Entering* ]] || printf '%s\n' "$line"
    fi
  done
  [ -z "$shown" ] || printf '\r\033[K'
}

NINJA_STATUS='[%f/%t] ' ninja -C build/release -j "$(cluster/build-jobs.sh)" "${targets[@]}" | show_progress
