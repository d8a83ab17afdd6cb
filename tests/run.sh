#!/bin/bash
# Installs what is missing, builds everything, runs every test. The last line is "N passed, N failed, N skipped"; exit 0 only when
# nothing failed. A script among the tests says 77 when this machine cannot run it.
#   tests/run.sh                          everything
#   tests/run.sh --without fuzz,compose   without the scripts whose command has one of these words; they count as skipped
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

without=
case ${1:-} in
  "") ;;
  --without) without=${2:?usage: run.sh --without WORD,WORD} ;;
  *) echo "usage: run.sh [--without WORD,WORD]" >&2; exit 2 ;;
esac

# What is not C++. One a line: seconds it may take, then the command. A tests/*/run.sh or run.py that is not here is a failure.
scripts=(
  "60   /usr/bin/python3 tests/check_layers.py --self-test"
  "60   /usr/bin/python3 tests/check_layers.py"
  "60   /usr/bin/python3 tests/check_names.py --self-test"
  "60   /usr/bin/python3 tests/check_names.py"
  "300  tests/model/run.sh"
  "600  build/release/tests/simulate --seeds 1000"
  "120  build/release/tests/simulate --seeds 30 --twice"
  "300  /usr/bin/python3 tests/python/run.py"
  "300  /usr/bin/python3 tests/schedules/run.py"
  "900  /usr/bin/python3 tests/processes/run.py"
  "900  tests/fuzz/run.sh"
  "1500 tests/compose/run.sh"
)

passed=0 failed=0 skipped=0 failures=()
say() { printf '\n== %s\n' "$*"; }
end() {
  for failure in "${failures[@]}"; do echo "FAILED: $failure"; done
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ]
  exit
}
fail() { failed=$((failed + 1)) failures+=("$1"); }

say "install"
cluster/install-deps.sh --test || { fail "cluster/install-deps.sh --test"; end; }

say "build"
cluster/build.sh --tests || { fail "cluster/build.sh --tests"; end; }

say "C++"
ctest --test-dir build/release --output-on-failure --timeout 600
rc=$?
# Counted as Catch2 counts, by test case; a suite that left no summary (it crashed or hung) is one failure.
counts=$(awk '
  /^[0-9]+\/[0-9]+ Testing: / { suite = $3; summary = 0; bad = 0 }
  /^All tests passed \(/      { summary = 1; for (i = 1; i < NF; ++i) if ($i == "in") p += $(i + 1) }
  /^test cases: /             { summary = 1; for (i = 1; i < NF; ++i) { if ($(i + 1) == "passed") p += $i; if ($(i + 1) == "failed") { f += $i; bad = 1 } if ($(i + 1) == "skipped") s += $i } }
  /^Test Failed\.|^Test Timeout|^Test time = .*Timeout/ { if (!bad) { ++f; bad = 1 } names = names " " suite }
  END { printf "%d %d %d%s\n", p, f, s, names }' build/release/Testing/Temporary/LastTest.log)
read -r p f s names <<<"$counts"
[ "$rc" = 0 ] || [ "$f" -gt 0 ] || f=1
[ "$p" -gt 0 ] || [ "$f" -gt 0 ] || f=1
passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
[ "$f" = 0 ] || failures+=("C++ tests: ${names:-see above}")

for script in "${scripts[@]}"; do
  read -r seconds command <<<"$script"
  for word in ${without//,/ }; do
    [[ $command != *"$word"* ]] || { skipped=$((skipped + 1)); say "$command: left out"; continue 2; }
  done
  say "$command"
  # shellcheck disable=SC2086 # words are meant to split
  timeout --kill-after=60 "$seconds" $command
  case $? in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    124 | 137) fail "$command (took longer than $seconds s)" ;;
    *) fail "$command" ;;
  esac
done

for script in tests/*/run.sh tests/*/run.py; do
  [ -e "$script" ] || continue
  [[ " ${scripts[*]} " == *" $script "* ]] || fail "$script is not listed in tests/run.sh"
done

echo
end
