#!/usr/bin/env bash
# Plants each deliberate bug of internal/mutants and demands that it is caught: by the test suites, by the simulator, or
# both (MUTANTS_BY=suite|sim|both). MUTANTS= narrows them by name.
set -euo pipefail
cd "$(dirname "$0")/../.."
"$GO" run ./internal/mutants -go "$GO" -detector "${MUTANTS_BY:-suite}" -only "${MUTANTS:-}"
