#!/usr/bin/env bash
# The simulator at length: SIM_SEEDS schedules (default 20000) from SIM_FROM on (default 1), over one process per core,
# for hotseat and, the same ones, for client-go's elector with and without ReleaseOnCancel. Prints one table.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p .cache
# The machine's clocks, which a simulated node must not see, are half of what a schedule costs: they are left out.
"$GO" test -c -tags hotseat_nosuspend -o .cache/sim.test ./internal/sim
SIM_TABLE=1 .cache/sim.test -test.run '^TestTable$' -test.timeout 0
