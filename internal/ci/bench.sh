#!/usr/bin/env bash
# Benchmarks of the root module, then the side-by-side report of internal/bench: whole runs in virtual time and real
# processes, which a testing.B cannot measure.
set -euo pipefail
cd "$(dirname "$0")/../.."
"$GO" test -run '^$' -bench . -benchmem ./...
if [[ -f internal/bench/go.mod ]]; then
  cd internal/bench
  "$GO" run .
fi
