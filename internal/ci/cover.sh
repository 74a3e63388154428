#!/usr/bin/env bash
# Fails when a public package has less than COVER_MIN percent of its statements covered in .cache/cover, the profiles of all
# modules. A profile names each block once per test binary; a block counts as covered when any of them reached it.
set -euo pipefail
cd "$(dirname "$0")/../.."
packages=$(find lease internal/protocol singleton fencing -name '*.go' -not -name '*_test.go' -not -path '*/testdata/*' -exec dirname {} \; | LC_ALL=C sort -u | xargs)

# Outside of CI the tests of these are skipped where a server is missing that could not be installed; then so is the floor.
skipped=
missing() { ! command -v "$1" >/dev/null && [[ ! -x /usr/sbin/$1 ]] && ! compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null; }
if [[ -z ${CI:-} ]]; then
  if missing redis-server; then skipped+=" fencing/redisfence fencing/redisfence/goredis"; fi
  if missing postgres || missing mariadbd; then skipped+=" fencing/sqlfence"; fi
  if missing postgres; then skipped+=" fencing/pgxfence"; fi
fi

awk -v min="$COVER_MIN" -v packages="$packages" -v skipped="$skipped" '
  /^mode:/ { next }
  {
    statements[$1] = $2
    if ($3 > 0) covered[$1] = 1
  }
  END {
    for (block in statements) {
      path = block; sub(/\/[^\/]*$/, "", path); sub(/^.*\/hotseat\//, "", path)
      total[path] += statements[block]
      if (block in covered) hit[path] += statements[block]
    }
    count = split(skipped, list, " ")
    for (i = 1; i <= count; i++) skip[list[i]] = 1
    count = split(packages, list, " ")
    for (i = 1; i <= count; i++) {
      path = list[i]
      if (path in skip) { printf "cover: %s: SKIPPED, for want of a server\n", path; continue }
      if (!total[path]) { printf "cover: %s: no data\n", path; failed = 1; continue }
      percent = 100 * hit[path] / total[path]
      verdict = percent < min ? "BELOW " min "%" : "ok"
      if (percent < min) failed = 1
      printf "cover: %-26s %5.1f%% of %d statements  %s\n", path, percent, total[path], verdict
    }
    exit failed
  }
' .cache/cover/*.out
