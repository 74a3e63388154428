#!/usr/bin/env bash
# All of internal/e2e. What it found becomes internal/e2e/RESULTS.md, or that of the oldest minor, if every test went
# through. A cluster of somebody's own, and a folder of binaries, leave the file alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
mkdir -p .cache
rm -f .cache/e2e.md
"$GO" run ./internal/controlplane/cluster -build
cd internal/e2e
[[ -n ${KUBECONFIG:-}${KUBEBUILDER_ASSETS:-} ]] || export HOTSEAT_E2E_RESULTS=$root/.cache/e2e.md
"$GO" test -count=1 -v -timeout 90m ./...
[[ ! -e $root/.cache/e2e.md ]] || mv "$root/.cache/e2e.md" "RESULTS${HOTSEAT_KUBERNETES:+-$HOTSEAT_KUBERNETES}.md"
