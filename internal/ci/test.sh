#!/usr/bin/env bash
# All tests of all modules with the race detector. The root module's run also writes .cache/cover.out for cover.sh:
# statements of the three public packages, counted over the tests of every package.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
failed=0
mkdir -p .cache
while read -r module; do
  cd "$root/$module"
  cover=()
  if [[ $module == . ]]; then
    cover=(-covermode=atomic -coverpkg=./lease,./singleton,./fencing -coverprofile="$root/.cache/cover.out")
  fi
  "$GO" test -race -count=1 -shuffle=on "${cover[@]}" ./... || failed=1
done < <("$root/internal/ci/modules.sh")
cd "$root"
"$GO" test -count=1 -run '^TestFootprint' ./singleton || failed=1 # memory, which the race detector distorts
exit "$failed"
