#!/usr/bin/env bash
# Each fuzz target of the repository for FUZZTIME. A finding is written to the package's testdata/fuzz: commit it with
# the fix, it is the regression test.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
failed=0
while IFS=: read -r file target; do
  cd "$root/$(dirname "$file")"
  echo "fuzz: $target in $(dirname "$file")"
  "$GO" test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" . || failed=1
done < <(grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func /:/' | LC_ALL=C sort)
exit "$failed"
