#!/usr/bin/env bash
# All of internal/frameworks. What it measured becomes internal/frameworks/RESULTS.md if every test went through.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
mkdir -p .cache
rm -f .cache/frameworks.md
"$GO" run ./internal/controlplane/cluster -build
cd internal/frameworks
HOTSEAT_FRAMEWORKS_RESULTS=$root/.cache/frameworks.md "$GO" test -count=1 -v -parallel 4 -timeout 60m .
mv "$root/.cache/frameworks.md" RESULTS.md
