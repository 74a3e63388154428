#!/usr/bin/env bash
# Benchmarks of the root module, then the side-by-side report of internal/bench: whole runs in virtual time, real
# processes and a real API server, which a testing.B cannot measure. The report becomes internal/bench/RESULTS.md if
# every section went through; README quotes ratios from it.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p .cache
"$GO" test -run '^$' -bench . -benchmem ./...
if [[ -f internal/bench/go.mod ]]; then
  cd internal/bench
  "$GO" run . | tee ../../.cache/RESULTS.md
  mv ../../.cache/RESULTS.md RESULTS.md
fi
