#!/bin/bash
# How many compilers this machine bears: one a core, and 1.2 GB each (a CAF and gRPC translation unit takes up to 0.5 GB at -O2;
# the rest is for the linker and whoever else is here).
set -euo pipefail
available=$(awk '/^MemAvailable:/ { print int($2 / 1200000) }' /proc/meminfo)
# A container's limit counts where it is lower (cgroup v2).
if limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null) && [ "$limit" != max ]; then
  limit=$((limit / 1200000000))
  [ "$limit" -ge "$available" ] || available=$limit
fi
cores=$(nproc)
jobs=$((available < cores ? available : cores))
echo $((jobs > 0 ? jobs : 1))
