#!/usr/bin/env bash
# All of internal/node. What it measured becomes internal/node/RESULTS.md if every test went through: each test that measures
# leaves a section, a file whose name begins with its place. Deaths are also kept one by one, and drawn.
set -euo pipefail
cd "$(dirname "$0")/../.."
results=$PWD/.cache/node-results
rm -rf "$results"
mkdir -p "$results"
"$GO" run ./internal/controlplane/cluster -build
cd internal/node
HOTSEAT_NODE_RESULTS=$results HOTSEAT_SAMPLES=$PWD/../pictures/samples "$GO" test -count=1 -v -timeout 150m ./...
sections=("$results"/*.md)
[[ ! -e ${sections[0]} ]] || awk 'FNR == 1 && NR > 1 { print "" } { print }' "${sections[@]}" >RESULTS.md
cd ../pictures
"$GO" run .
