#!/bin/bash
# Checks the protocol (protocol.pml) by spin: with every rule there must be no counterexample, without a rule there must be one. About a
# minute on two cores. `--long` searches deeper with every rule (hours), `--rule NAME` tells one counterexample step by step.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
model=$PWD/protocol.pml
command -v spin >/dev/null || { echo "spin is not installed (cluster/install-deps.sh --test)" >&2; exit 77; }

# What is expected, and where to look.
checks=(
  "clean  -DFAULTS=1 -DFAILURES=1"
  "clean  -DFAULTS=1 -DCANCELS=1"
  "clean  -DFAULTS=1 -DAT_MOST_ONCE=1"
  "clean  -DFAULTS=1 -DR3_TRUST_ENDS_FIRST=0" # but for cancels nothing depends on clocks
  "broken -DFAULTS=1 -DR1_WAIT_FOR_WRITES=0"
  "broken -DFAULTS=1 -DR2_LOAD_AFTER=0"
  "broken -DFAULTS=1 -DCANCELS=1 -DR3_TRUST_ENDS_FIRST=0"
  "broken -DFAULTS=1 -DR4_TERM_CHECK=0"
  "broken -DFAULTS=1 -DR5_ACK_AFTER_COMMIT=0"
  "broken -DFAULTS=1 -DR5_FROM_THE_ROW=0"
  "broken -DFAULTS=1 -DFAILURES=1 -DR6_VERSION=0"
  "broken -DFAULTS=0 -DR8_TOMBSTONE=0"
  "broken -DFAULTS=1 -DR8_SCAN=0"
  "broken -DFAULTS=0 -DR9_ANNOUNCE_YOUNG=0"
  "broken -DFAULTS=1 -DR9_ANNOUNCE_AFTER_LOAD=0"
  "broken -DFAULTS=1 -DR10_HELLO_FIRST=0"
  "broken -DFAULTS=1 -DR10_OLD_STREAM_UNREAD=0"
  "broken -DFAULTS=1 -DR10_RECONCILE=0"
  "broken -DFAULTS=1 -DFAILURES=1 -DR11_SAME_VERSION=0"
  "broken -DFAULTS=1 -DCANCELS=1 -DR14_LEASE=0"
  "broken -DFAULTS=1 -DCANCELS=1 -DR14_WELCOME=0"
  "broken -DFAULTS=1 -DCANCELS=1 -DR15_CANCEL_NOT_HELD=0"
  "broken -DFAULTS=0 -DCANCELS=1 -DR15_CANCEL_NOT_GIVEN=0"
  "broken -DFAULTS=1 -DAT_MOST_ONCE=1 -DR16_LOST_NOT_RERUN=0"
  "broken -DFAULTS=2 -DAT_MOST_ONCE=1 -DR16_MARK_FIRST=0"
)
deep=(
  "clean  -DFAULTS=2"
  "clean  -DFAULTS=2 -DFAILURES=1"
  "clean  -DFAULTS=2 -DCANCELS=1"
  "clean  -DFAULTS=2 -DAT_MOST_ONCE=1"
  "clean  -DFAULTS=2 -DR3_TRUST_ENDS_FIRST=0"
)

# search FLAGS…: in the current folder; prints "clean", "broken" or "unfinished", the states, and the assertion.
search() {
  local quick=-O1
  [[ "$*" == *=0* ]] || quick=-O2
  spin -a "$@" "$model" >spin.out && gcc "$quick" -w -DSAFETY -DCOLLAPSE -DMEMLIM=12000 -o pan pan.c >gcc.out 2>&1 || { echo "unfinished: $(tail -1 spin.out)"; return; }
  ./pan -E -n -m9000 -w22 >pan.out 2>&1
  local states broken
  states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
  broken=$(sed -n 's/^pan:1: assertion violated \(.*\) (at depth.*/\1/p' pan.out)
  if [ -n "$broken" ]; then echo "broken after $states states: $broken"
  elif grep -q 'errors: 0' pan.out && ! grep -q 'max search depth too small\|Search not completed' pan.out; then echo "clean: $states states"
  else echo "unfinished after ${states:-0} states"; fi
}

case ${1:-} in
--one) # clean|broken FLAGS…, for itself
  expected=$2
  shift 2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work" || exit 1
  said=$(search "$@")
  flags=$*
  printf '%-52s %s\n' "${flags//-D/}" "$said"
  [[ $said == "$expected"* ]] || { echo "  that should be $expected"; exit 1; }
  exit 0
  ;;
--rule)
  for line in "${checks[@]}"; do
    [[ $line == broken*"-D$2=0" ]] || continue
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work" || exit 1
    read -ra flags <<<"${line#broken}"
    search "${flags[@]}"
    spin -t -p -k protocol.pml.trail "${flags[@]}" "$model" |
      sed -n 's/^ *\([0-9]*\):.*proc *[0-9]* (\([A-Za-z]*\):[0-9]*) [^ ]*:\([0-9]*\) (state [0-9]*)\s*\[\(.*\)\]/\1 \2, line \3: \4/p' | grep -v ': else$'
    exit
  done
  echo "no such rule; there are:" >&2
  printf '%s\n' "${checks[@]}" | sed -n 's/^broken.*-D\(R[^ ]*\)=0$/  \1/p' >&2
  exit 2
  ;;
--long) checks+=("${deep[@]}") ;;
esac

if printf '%s\n' "${checks[@]}" | xargs -P "$(nproc)" -L 1 ./run.sh --one; then
  echo "the protocol holds with its rules, and does not without any of those above"
else
  echo "the model does not say what it should"
  exit 1
fi
