#!/usr/bin/env bash
# Fails when a public package has less than COVER_MIN percent of its statements covered in .cache/cover.out. The
# profile names each block once per test binary; a block counts as covered when any of them reached it.
set -euo pipefail
cd "$(dirname "$0")/../.."
awk -v min="$COVER_MIN" -v packages="lease singleton fencing" '
  /^mode:/ { next }
  {
    statements[$1] = $2
    if ($3 > 0) covered[$1] = 1
  }
  END {
    for (block in statements) {
      path = block; sub(/\/[^\/]*$/, "", path); name = path; sub(/.*\//, "", name)
      total[name] += statements[block]
      if (block in covered) hit[name] += statements[block]
    }
    count = split(packages, list, " ")
    for (i = 1; i <= count; i++) {
      name = list[i]
      if (!total[name]) { printf "cover: %s: no data\n", name; failed = 1; continue }
      percent = 100 * hit[name] / total[name]
      verdict = percent < min ? "BELOW " min "%" : "ok"
      if (percent < min) failed = 1
      printf "cover: %-10s %5.1f%% of %d statements  %s\n", name, percent, total[name], verdict
    }
    exit failed
  }
' .cache/cover.out
