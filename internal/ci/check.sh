#!/usr/bin/env bash
# Static checks in every module. Runs all of them before it fails, so that one run shows everything.
set -euo pipefail
cd "$(dirname "$0")/../.."
failed=0

# run WHAT COMMAND... reports WHAT when COMMAND fails.
run() {
  local what=$1
  shift
  "$@" || { echo "check: $what failed in $(pwd)" >&2; failed=1; }
}

gofmt_clean() {
  local files
  files=$("$("$GO" env GOROOT)/bin/gofmt" -l .)
  [[ -z $files ]] || { printf 'not formatted by gofmt:\n%s\n' "$files" >&2; return 1; }
}

root=$PWD
run gofmt gofmt_clean
while read -r module; do
  echo "check: $module"
  cd "$root/$module"
  run "go mod tidy" "$GO" mod tidy -diff
  run "go vet" "$GO" vet ./...
  run golangci-lint "$GOLANGCI" run --allow-parallel-runners --config "$root/.golangci.yml" ./...
done < <("$root/internal/ci/modules.sh")
exit "$failed"
