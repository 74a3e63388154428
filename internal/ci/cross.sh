#!/usr/bin/env bash
# Vets what others can import for systems that the tests do not run on.
#   cross.sh gate  the packages with code of their own for a system, and those beside them
#   cross.sh all   the whole root with its tests and tools, and the modules below fencing and singleton
# From an empty build cache that takes 1.7 CPU minutes, and 6 for each system, since the whole
# of client-go is compiled for it.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
failed=0

# vet SYSTEM MODULE PACKAGE...
vet() {
  local system=$1 module=$2
  shift 2
  echo "cross: $system: $module: $*"
  cd "$root/$module"
  GOOS=$system CGO_ENABLED=0 "$GO" vet "$@" && return
  echo "cross: go vet for $system failed in $module" >&2
  failed=1
}

native=(./fencing ./fencing/filestore ./fencing/httpfence ./fencing/sqlfence)
native+=(./internal/elapsed ./internal/proc)
for system in darwin windows; do
  case ${1:-} in
  gate) vet "$system" . "${native[@]}" ;;
  all) vet "$system" . ./... ;;
  *)
    echo "usage: cross.sh gate|all" >&2
    exit 2
    ;;
  esac
  for module in fencing/*/go.mod singleton/*/go.mod; do
    [[ $1 == gate ]] || vet "$system" "${module%/go.mod}" ./...
  done
  cd "$root"
done
exit "$failed"
