#!/bin/bash
# Checks the protocol (protocol.pml) by spin: with every rule there must be no counterexample, without a rule there must be one. Half a
# minute on two cores. `--long` searches deeper with every rule, `--rule NAME` tells one counterexample step by step.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
model=$PWD/protocol.pml

# What is expected, and where to look.
checks=(
  "clean  FAULTS=1 FAILURES=1"
  "clean  FAULTS=1 CANCELS=1"
  "clean  FAULTS=1 AT_MOST_ONCE=1"
  "clean  FAULTS=1 R3_TRUST_ENDS_FIRST=0" # but for cancels nothing depends on clocks
  "broken FAULTS=1 R1_WAIT_FOR_WRITES=0"
  "broken FAULTS=1 R2_LOAD_AFTER=0"
  "broken FAULTS=1 CANCELS=1 R3_TRUST_ENDS_FIRST=0"
  "broken FAULTS=1 R4_TERM_CHECK=0"
  "broken FAULTS=1 R5_ACK_AFTER_COMMIT=0"
  "broken FAULTS=1 R5_FROM_THE_ROW=0"
  "broken FAULTS=1 FAILURES=1 R6_VERSION=0"
  "broken FAULTS=0 R8_TOMBSTONE=0"
  "broken FAULTS=1 R8_SCAN=0"
  "broken FAULTS=0 R9_ANNOUNCE_YOUNG=0"
  "broken FAULTS=1 R9_ANNOUNCE_AFTER_LOAD=0"
  "broken FAULTS=1 R10_HELLO_FIRST=0"
  "broken FAULTS=1 R10_OLD_STREAM_UNREAD=0"
  "broken FAULTS=1 R10_RECONCILE=0"
  "broken FAULTS=1 FAILURES=1 R11_SAME_VERSION=0"
  "broken FAULTS=1 CANCELS=1 R14_LEASE=0"
  "broken FAULTS=1 CANCELS=1 R14_WELCOME=0"
  "broken FAULTS=1 CANCELS=1 R15_CANCEL_NOT_HELD=0"
  "broken FAULTS=0 CANCELS=1 R15_CANCEL_NOT_GIVEN=0"
  "broken FAULTS=1 AT_MOST_ONCE=1 R16_LOST_NOT_RERUN=0"
  "broken FAULTS=2 AT_MOST_ONCE=1 R16_MARK_FIRST=0"
)
deep=(
  "clean  FAULTS=1 FAILURES=2"
  "clean  FAULTS=1 FAILURES=1 CANCELS=1"
  "clean  FAULTS=2"
  "clean  FAULTS=2 FAILURES=1"
  "clean  FAULTS=2 CANCELS=1"
  "clean  FAULTS=2 AT_MOST_ONCE=1"
  "clean  FAULTS=2 R3_TRUST_ENDS_FIRST=0"
)

# search SWITCHES…: in the current folder; prints "clean", "broken" or "unfinished", the states, and the assertion.
search() {
  local switch states broken
  for switch in "$@"; do
    grep -q "^hidden byte ${switch%%=*} = " "$model" || { echo "unfinished: the model has no ${switch%%=*}"; return; }
  done
  env "$@" "$checker" -E -n -m9000 -w"${HASH:-22}" >pan.out 2>&1
  states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
  broken=$(sed -n 's/^pan:1: assertion violated \(.*\) (at depth.*/\1/p' pan.out)
  if [ -n "$broken" ]; then echo "broken after $states states: $broken"
  elif grep -q 'errors: 0' pan.out && ! grep -q 'max search depth too small\|Search not completed' pan.out; then echo "clean: $states states"
  else echo "unfinished after ${states:-0} states"; fi
}

case ${1:-} in
--one) # clean|broken SWITCHES…, for itself
  expected=$2
  shift 2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work" || exit 1
  said=$(search "$@")
  printf '%-46s %s (%d s)\n' "$*" "$said" "$SECONDS"
  [[ $said == "$expected"* ]] || { echo "  that should be $expected"; exit 1; }
  exit 0
  ;;
--rule)
  for line in "${checks[@]}"; do [[ $line == broken*" ${2:-}=0" ]] && chosen=${line#broken}; done
  if [ -z "${chosen:-}" ]; then
    echo "no such rule; there are:" >&2
    printf '%s\n' "${checks[@]}" | sed -n 's/^broken.* \(R[^ ]*\)=0$/  \1/p' >&2
    exit 2
  fi
  ;;
--long)
  checks+=("${deep[@]}")
  export HASH=26 # slots of the table, in powers of two: half a gigabyte each
  ;;
esac

command -v spin >/dev/null || { echo "spin is not installed (cluster/install-deps.sh --test)" >&2; exit 77; }
# One checker for all: a rule is a switch that it reads from the environment when it starts. Made anew for each, making them took
# nine tenths of the time.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export checker=$folder/pan
(cd "$folder" && spin -a "$model" && gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=12000 -o pan pan.c) >"$folder/made" 2>&1 || { tail -5 "$folder/made"; exit 1; }

if [ -n "${chosen:-}" ]; then
  cd "$folder" || exit 1
  read -ra switches <<<"$chosen"
  search "${switches[@]}"
  # spin tells a trail with line numbers that are right, and cannot ask the environment: it gets a copy with the switches in it.
  cp "$model" told.pml
  for switch in "${switches[@]}"; do sed -i "s/^hidden byte ${switch%%=*} = [0-9]*/hidden byte ${switch/=/ = }/" told.pml; done
  spin -t -p -k protocol.pml.trail told.pml |
    sed -n 's/^ *\([0-9]*\):.*proc *[0-9]* (\([A-Z][A-Za-z]*\):[0-9]*) [^ ]*:\([0-9]*\) (state [0-9]*)\s*\[\(.*\)\]/\1 \2, line \3: \4/p' | grep -v ': else$'
  exit
fi
if printf '%s\n' "${checks[@]}" | xargs -P "$(nproc)" -L 1 ./run.sh --one; then
  echo "the protocol holds with its rules, and does not without any of those above"
else
  echo "the model does not say what it should"
  exit 1
fi
