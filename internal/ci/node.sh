#!/usr/bin/env bash
# All of internal/node. What it measured becomes internal/node/RESULTS.md if every test went through.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
mkdir -p .cache
rm -f .cache/node.md
"$GO" run ./internal/controlplane/cluster -build
cd internal/node
HOTSEAT_NODE_RESULTS=$root/.cache/node.md "$GO" test -count=1 -v -timeout 60m ./...
[[ ! -e $root/.cache/node.md ]] || mv "$root/.cache/node.md" RESULTS.md
