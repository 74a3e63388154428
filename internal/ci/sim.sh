#!/usr/bin/env bash
# The simulator at length: SIM_SEEDS schedules (default 20000) from SIM_FROM on (default 1), over one process per core,
# for hotseat and, the same ones, for client-go's elector with and without ReleaseOnCancel; then SIM_ALONE (default 200) of each kind
# of fault alone. Prints the tables, and fails where hotseat did what it must not, or where it has less time with exactly one at work
# than client-go by no rule that is stated (internal/sim/costs_test.go), or by more than that may cost. Last, SIM_DEATHS
# schedules (default 20000) in which the API tells of deaths: late, out of date, by halves, or of another container.
# The tables become internal/sim/RESULTS.md, and what the picture shows internal/pictures/samples.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p .cache
# The machine's clocks, which a simulated node must not see, are half of what a schedule costs: they are left out.
"$GO" test -c -tags hotseat_nosuspend -o .cache/sim.test ./internal/sim
(
  cd internal/sim
  SIM_TABLE=1 SIM_RESULTS=RESULTS.md HOTSEAT_SAMPLES=../pictures/samples \
    ../../.cache/sim.test -test.run '^TestTable$' -test.timeout 0
)
(
  cd internal/pictures
  "$GO" run .
)
deaths=${SIM_DEATHS:-20000} cores=$(nproc) failed=0
pids=()
for ((i = 0; i < cores; i++)); do
  SIM_FROM=$((deaths * i / cores)) SIM_DEATHS=$((deaths / cores)) .cache/sim.test -test.v -test.run '^TestDeaths$' -test.timeout 0 &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit "$failed"
