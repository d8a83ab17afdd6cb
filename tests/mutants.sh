#!/bin/bash
# Does the simulation see? Builds it once with planted faults (schema/mutant.hpp), switches them on one by one, and runs seeds until the
# checker notices: prints fault, seed, what was broken, and how many seeds it took. Exit 1 when one survives.
#   tests/mutants.sh [NAME…]      only these      SEEDS=400 is the most that are tried for one
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# name: what is left out or done wrong
mutants=(
  "no_fence_check: a result of any run of the task counts"
  "no_version_guard: the database takes changes of any version of the row"
  "no_term_lock: taking over does not wait for the writes of the last leader"
  "no_tombstone: what has left the plan is not remembered"
  "tombstone_not_for_scans: it is forgotten while a scan is under way"
  "announce_of_any_age: an announce counts whenever it comes"
  "told_in_part: an announcement names a transaction and leaves out one of its tasks"
  "scan_overwrites: a scan replaces what the plan knows"
  "ack_before_commit: the worker is told \"recorded\" when the result arrives"
  "ambiguous_is_done: a write whose answer was lost counts as done"
  "unsure_is_stored: the client is told \"stored\" when nobody knows"
  "stale_said_recorded: a result that changed nothing is called recorded"
  "no_grace: a new leader hands out at once what workers may still hold"
  "no_reconcile: what a hello does not name is still believed to be there"
  "adopt_any_attempt: a claim of another attempt is adopted"
  "lease_from_the_answer: trust runs from the answer instead of the asking"
  "starts_without_lease: a worker that is cut off goes on starting"
  "starts_before_welcome: a worker starts its queue before it is welcomed"
  "results_forgotten: a worker forgets its results when the stream ends"
  "cancelled_though_given: \"cancelled\" of a task that is handed out"
  "mark_after_dispatch: at_most_once is sent before the mark is committed"
  "no_backoff: a retry does not wait"
  "clock_ahead: due by a clock 100 ms ahead of the database's"
  "credit_twice: each credit counts twice"
  "credit_not_returned: a slot that is free again is not granted"
  "limit_miscounted: one more than the key's limit"
  "pause_ignored: a paused queue hands out"
  "rate_not_taken: every second hand-out takes no token of the rate"
  "change_of_given: a task that is handed out is changed by hand"
  "refused_change_stays: a refused change leaves a task that waits for others in the plan"
  "children_untold: a new leader does not tell those who wait for what has ended"
  "silence_unwatched: nobody looks whether those report that promised to"
  "checkpoint_not_kept: what a run left for the next is not written with its outcome"
  "instant_dropped: a schedule moves past an instant without its task"
)

echo "building with planted faults (build/mutants)"
mkdir -p build
cmake --preset quick -B build/mutants -DTASKMASTER_MUTANTS=ON -DTASKMASTER_TESTS=ON >build/mutants.log 2>&1 &&
  ninja -C build/mutants -j "$(cluster/build-jobs.sh)" simulate >>build/mutants.log 2>&1 || { tail -30 build/mutants.log; exit 1; }
simulate=build/mutants/tests/simulate

"$simulate" --seeds 20 --until-broken || { echo "without a planted fault it finds one too: fix that first"; exit 1; }
survived=0
for line in "${mutants[@]}"; do
  name=${line%%:*}
  [ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
  said=$(TASKMASTER_MUTANT=$name timeout 300 "$simulate" --seeds "${SEEDS:-400}" --until-broken 2>/dev/null | sed -n 's/^caught: //p')
  if [ -n "$said" ]; then printf 'caught   %-24s %s  (%s)\n' "$name" "$said" "${line#*: }"
  else
    printf 'SURVIVED %-24s %s\n' "$name" "${line#*: }"
    survived=$((survived + 1))
  fi
done
[ "$survived" = 0 ] || echo "$survived planted faults survived"
[ "$survived" = 0 ]
