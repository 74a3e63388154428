#!/usr/bin/env bash
# All tests of all modules with the race detector. The runs also write .cache/cover/*.out for cover.sh: statements of the
# public packages, each counted over the tests of every package. Those of sqlfence on real servers are in internal/guards.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
failed=0
rm -rf .cache/cover
mkdir -p .cache/cover

# The tests on a real API server: built once, kept in .cache/fromsource. Only where it cannot be built, and never in
# CI, are they left out.
real=yes
"$GO" run ./internal/controlplane/cluster -build || real=
if [[ -z $real && -n ${CI:-} ]]; then
  echo "test: no real API server, and CI may not do without" >&2
  failed=1
fi

while read -r module; do
  cd "$root/$module"
  cover=()
  case $module in
  .) name=root measured=./lease,./internal/protocol,./singleton/...,./fencing/... ;;
  # It runs the core of sqlfence in a way of its own.
  ./fencing/pgxfence) name=pgxfence measured=./...,github.com/hotseat-go/hotseat/fencing/sqlfence ;;
  ./fencing/* | ./singleton/*) name=${module##*/} measured=./... ;;
  ./internal/guards) name=guards measured=github.com/hotseat-go/hotseat/fencing/sqlfence ;;
  *) name= ;;
  esac
  if [[ -n $name ]]; then
    cover=(-covermode=atomic -coverpkg="$measured" -coverprofile="$root/.cache/cover/$name.out")
  fi
  how=(-race -shuffle=on -timeout 30m)
  case $module in
  # At length: make guards. The time is for the first machine that has to install PostgreSQL, MariaDB and Redis.
  ./examples/* | ./fencing/* | ./singleton/* | ./internal/guards | ./internal/traffic) how+=(-short) ;;
  esac
  if [[ $module == ./internal/e2e ]]; then
    if [[ -z $real ]]; then
      echo "test: SKIPPED: everything in internal/e2e: the real API server could not be built" >&2
      continue
    fi
    # The whole story is make e2e. Without the race detector: its tests are processes that race the clock.
    how=(-short -timeout 30m)
  fi
  if [[ $module == ./internal/frameworks || $module == ./examples/controller-runtime ]]; then
    if [[ -z $real ]]; then
      echo "test: SKIPPED: everything in $module: the real API server could not be built" >&2
      continue
    fi
    how=(-short -timeout 30m) # the whole story is make frameworks
  fi
  if [[ $module == ./internal/node ]]; then
    if [[ -z $real ]]; then
      echo "test: SKIPPED: everything in internal/node: the real kubelet could not be built" >&2
      continue
    fi
    as=() # root, whom CI has to provide
    [[ $EUID == 0 || -z ${CI:-} ]] || as=(-exec "sudo -n -E env PATH=$PATH")
    if ! "$GO" run "${as[@]}" ./node check; then
      echo "test: SKIPPED: everything in internal/node: real nodes, with kubelet and containerd" >&2
      [[ -z ${CI:-} ]] || failed=1 # CI may not do without
      continue
    fi
    # The whole story is make node. Without the race detector: its tests are processes that race the clock.
    how=(-short -timeout 30m "${as[@]}")
  fi
  if [[ $module == ./internal/bench && -z $real ]]; then
    echo "test: SKIPPED: the handover of internal/bench on the real API server" >&2
    how+=(-skip OnTheRealServer)
  fi
  "$GO" test -count=1 "${how[@]}" "${cover[@]}" ./... || failed=1
done < <("$root/internal/ci/modules.sh")
# What the quick loop leaves out, and the runs above with it: sweeps, seeds drawn anew, replay, faults that strike, every
# wrong rule. Without the race detector, which distorts memory, and under which they are several times slower.
cd "$root"
export HOTSEAT_WHOLE=1
"$GO" test -count=1 -race -run '^(TestProgram|TestDemo|TestStory)$' ./examples/{quickstart,gateway,http} || failed=1
"$GO" test -count=1 ./singleton ./singleton/{events,leaderlock,route,singletontest,statuspage} ./internal/{guardtest,model} ./fencing/{filestore,httpfence,kubefence} || failed=1
"$GO" test -count=1 -v -run '^(TestSeeds|TestFound|TestStoreAnswersLikeTheServer|TestASeedIsOneRun|TestFaultsStrike|TestHistoriesOverlap)$' ./internal/sim || failed=1
exit "$failed"
