#!/bin/bash
# The Debian packages that hold a program's shared libraries, one a line: what an image needs to run it.
set -euo pipefail
program=${1:?usage: runtime-packages.sh PROGRAM}
missing=$(ldd "$program" | grep 'not found' || true)
[ -z "$missing" ] || { echo "runtime-packages.sh: $missing" >&2; exit 1; }
# dpkg knows a library by its place before or after the merge of /lib into /usr/lib.
ldd "$program" | sed -nE 's/.*(=> |^[[:space:]]+)(\/[^ ]+) .*/\2/p' | while read -r library; do
  file=$(readlink -f "$library")
  dpkg -S "$file" 2>/dev/null || dpkg -S "${file#/usr}" 2>/dev/null || dpkg -S "/usr$file"
done | sed 's/:.*//' | sort -u
