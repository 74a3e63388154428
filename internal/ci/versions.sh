#!/usr/bin/env bash
# Builds and tests hotseat with other versions than those of go.mod, which are the oldest and what
# all other targets run with.
#   versions.sh gate  the newest client-go and client_golang: what every change must pass
#   versions.sh all   the oldest and newest patch of each client-go minor, the oldest
#                     controller-runtime, and a newer Go: nightly
# The tree is not changed: the versions are in a copy of go.mod in a temporary folder. A pair of
# versions takes 3 CPU minutes, and half a one where another module has compiled it already; another
# Go takes 4. VERSIONS=v0.36 narrows all to what has that in its name.
set -euo pipefail
cd "$(dirname "$0")/../.."

# client-go (with api and apimachinery) and a client_golang of its time; the last are the newest.
pairs=(
  "v0.35.0 v1.23.0"
  "v0.35.10 v1.23.2"
  "v0.36.0 v1.24.0"
  "v0.36.6 v1.24.1"
  "v0.37.0 v1.25.0"
  "v0.37.2 v1.25.0"
)
# The oldest controller-runtime that leaderlock is for, and its client-go. The newest is in go.mod of
# the modules that require it.
oldest_manager="v0.23.0 v0.35.0"
toolchains=(go1.27.4) # beside the one that is installed

# The quick tests: what speaks to an API server through client-go, or to Prometheus. Of singleton
# those of connections, credentials, watches and metrics; the rest is about the rules.
packages=(./lease ./internal/protocol ./fencing ./fencing/fencingprom ./singleton/singletontest ./singleton/leaderlock
  ./singleton/evidence ./singleton/route ./singleton/rollout ./internal/apiclient
  ./singleton/events ./singleton/leadermetrics ./singleton/leaderflags ./internal/leasetest)
singleton='Connection|RevokedToken|Hardened|DefaultClient|Client|SharedWatch|OneWatch|Permissions|Polls'
singleton+='|Metrics|Collectors|TakingTurns'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# try NAME FLAG... builds what a service links, and runs the quick tests.
try() {
  local name=$1 began=$SECONDS
  shift
  echo "versions: $name"
  if "$GO" build "$@" ./lease ./singleton/... ./fencing/... ./examples/worker &&
    "$GO" test -count=1 -vet=off -timeout 20m "$@" "${packages[@]}" &&
    "$GO" test -count=1 -vet=off -timeout 20m "$@" -run "$singleton" ./singleton; then
    echo "versions: $name: ok after $((SECONDS - began)) s"
  else
    echo "versions: $name FAILED" >&2
    failed=1
  fi
}

# pair CLIENT_GO CLIENT_GOLANG tries these two.
pair() {
  cp go.mod "$tmp/go.mod"
  cp go.sum "$tmp/go.sum"
  local require=("github.com/prometheus/client_golang@$2")
  for module in client-go api apimachinery; do require+=("k8s.io/$module@$1"); done
  # It names each line that moves, which is of interest only when it fails.
  if ! "$GO" get -modfile "$tmp/go.mod" "${require[@]}" 2>"$tmp/get"; then
    cat "$tmp/get" >&2
    failed=1
    return
  fi
  try "client-go $1, client_golang $2" -mod=mod -modfile="$tmp/go.mod"
}

# manager CONTROLLER_RUNTIME CLIENT_GO plays the operator of the examples on a real API server.
manager() {
  local began=$SECONDS name="controller-runtime $1, client-go $2"
  local require=("sigs.k8s.io/controller-runtime@$1")
  for module in client-go api apimachinery; do require+=("k8s.io/$module@$2"); done
  echo "versions: $name"
  cp examples/controller-runtime/go.mod "$tmp/go.mod"
  cp examples/controller-runtime/go.sum "$tmp/go.sum"
  if "$GO" -C examples/controller-runtime get -modfile "$tmp/go.mod" "${require[@]}" 2>"$tmp/get" &&
    "$GO" -C examples/controller-runtime test -count=1 -timeout 20m -mod=mod -modfile="$tmp/go.mod" .; then
    echo "versions: $name: ok after $((SECONDS - began)) s"
  else
    cat "$tmp/get" >&2
    echo "versions: $name FAILED" >&2
    failed=1
  fi
}

case ${1:-} in
gate)
  # shellcheck disable=SC2086 # two words
  pair ${pairs[-1]}
  ;;
all)
  for versions in "${pairs[@]}"; do
    [[ $versions == *"${VERSIONS:-}"* ]] || continue
    # shellcheck disable=SC2086 # two words
    pair $versions
  done
  if [[ controller-runtime-$oldest_manager == *"${VERSIONS:-}"* ]]; then
    # shellcheck disable=SC2086 # two words
    manager $oldest_manager
  fi
  for toolchain in "${toolchains[@]}"; do
    [[ $toolchain == *"${VERSIONS:-}"* ]] || continue
    if ! GOTOOLCHAIN=$toolchain "$GO" version 2>"$tmp/toolchain"; then
      cat "$tmp/toolchain" >&2
      echo "versions: SKIPPED: $toolchain cannot be had here" >&2
      [[ -z ${CI:-} ]] || failed=1
      continue
    fi
    export GOTOOLCHAIN=$toolchain
    try "$toolchain" -mod=readonly
    unset GOTOOLCHAIN
  done
  ;;
*)
  echo "usage: versions.sh gate|all" >&2
  exit 2
  ;;
esac
exit "$failed"
