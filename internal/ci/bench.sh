#!/usr/bin/env bash
# Benchmarks of the root module and of the guards, then the side-by-side report of internal/bench: whole runs in virtual
# time, real processes and a real API server, which a testing.B cannot measure. The report becomes internal/bench/RESULTS.md
# if every section went through; README quotes ratios from it. Each time that it measured is kept, and drawn by internal/pictures.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
mkdir -p .cache
for module in . fencing/grpcfence fencing/pgxfence internal/guards internal/e2e; do
  cd "$root/$module"
  "$GO" test -run '^$' -bench . -benchmem ./...
done
cd "$root"
if [[ -f internal/bench/go.mod ]]; then
  cd internal/bench
  HOTSEAT_SAMPLES=$root/internal/pictures/samples "$GO" run . | tee ../../.cache/RESULTS.md
  mv ../../.cache/RESULTS.md RESULTS.md
fi
cd "$root/internal/pictures"
"$GO" run .
