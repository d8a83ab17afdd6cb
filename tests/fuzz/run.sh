#!/bin/bash
# Fuzzes what comes from outside: HTTP bodies, times, cron and recurrence rules, the session protocol. Built by clang with libFuzzer, AddressSanitizer
# and a part of UndefinedBehaviorSanitizer. Each for SECONDS_EACH (60); what it finds is written below build/fuzz/found.
#   tests/fuzz/run.sh [NAME…]
# 77: no clang with libFuzzer here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(json time recurrence session)
clang=$(command -v clang++ || true)
[ -n "$clang" ] || { echo "fuzz: no clang++ here"; exit 77; }
echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
  "$clang" -x c++ -fsanitize=fuzzer - -o /dev/null 2>/dev/null || { echo "fuzz: this clang has no libFuzzer (package libclang-rt-14-dev)"; exit 77; }
cmake --preset fuzz -DCMAKE_CXX_COMPILER="$clang" >build/fuzz.configure.log 2>&1 || { tail -20 build/fuzz.configure.log; exit 1; }
ninja -C build/fuzz -j "$(cluster/build-jobs.sh)" "${names[@]/#/fuzz_}" >build/fuzz.build.log 2>&1 || { tail -30 build/fuzz.build.log; exit 1; }
mkdir -p build/fuzz/found
for name in "${names[@]}"; do
  corpus=build/fuzz/corpus/$name
  mkdir -p "$corpus"
  # Five seconds an input and 2 GB are far more than any of them may need.
  if ! build/fuzz/tests/fuzz_"$name" -max_total_time="${SECONDS_EACH:-60}" -timeout=5 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/found/"$name"- "$corpus" tests/fuzz/seeds/"$name" >build/fuzz/"$name".log 2>&1; then
    tail -40 build/fuzz/"$name".log
    echo "fuzz: $name failed; the input is the last one named above"
    exit 1
  fi
  echo "fuzz: $name clean after $(sed -n 's/^stat::number_of_executed_units: *//p' build/fuzz/"$name".log) inputs"
done
