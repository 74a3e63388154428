#!/usr/bin/env bash
# Plants each deliberate bug of internal/mutants/planted and demands that it is caught: by the packages' own tests and, where a
# number of seeds is stated, by the simulator within that many (MUTANTS_BY=suite|sim|both, default both). MUTANTS= narrows
# them by name. Prints the table.
set -euo pipefail
cd "$(dirname "$0")/../.."
"$GO" run ./internal/mutants -go "$GO" -detector "${MUTANTS_BY:-both}" -only "${MUTANTS:-}"
