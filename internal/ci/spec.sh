#!/usr/bin/env bash
# Checks internal/model/spec/hotseat.pml with spin: the right rules hold within each of the bounds, each wrong rule and each
# exception of the guide gives a counterexample, and what the specification is about does happen. Prints a table. SPEC_ONLY= is a
# regular expression that narrows it by name. The trail of each counterexample stays in .cache/spec/NAME: `spin -t` replays it.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v spin >/dev/null; then
  if [[ $EUID == 0 ]] && command -v apt-get >/dev/null; then
    apt-get -q -o DPkg::Lock::Timeout=300 update
    apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends spin gcc libc6-dev
  elif [[ -n ${CI:-} ]]; then
    echo "spec: no spin, and CI may not do without: apt-get install spin" >&2
    exit 1
  else
    echo "spec: SKIPPED: the specification in Promela: no spin: apt-get install spin, or run this as root" >&2
    exit 0
  fi
fi
if ! command -v cc >/dev/null; then
  echo "spec: no C compiler: apt-get install gcc libc6-dev" >&2
  exit 1
fi
spec=$PWD/internal/model/spec/hotseat.pml
work=$PWD/.cache/spec
failed=0
mkdir -p "$work"
printf '%-22s %12s  %s\n' rules states verdict

# check NAME WANT FLAGS... explores all states. WANT is "holds", or a part of the assertion that must fail.
check() {
  local name=$1 want=$2 states verdict
  shift 2
  [[ $name =~ ${SPEC_ONLY:-} ]] || return 0
  rm -rf "${work:?}/$name"
  mkdir "$work/$name"
  cd "$work/$name"
  spin "$@" -a "$spec" >spin.txt
  cc -O2 -w -DSAFETY -DBFS -DMEMLIM=6000 -o pan pan.c
  ./pan >pan.txt 2>&1 || true
  states=$(awk '/states, stored/ { print $1; exit }' pan.txt)
  # Without an error and without these words, pan has seen every state.
  if grep -qE 'out of memory|max search depth too small|Search not completed' pan.txt && ! grep -q 'assertion violated' pan.txt; then
    verdict="NOT COMPLETE: see $work/$name/pan.txt"
    failed=1
  elif grep -q 'errors: 0$' pan.txt; then
    verdict=holds
  else
    verdict="counterexample: $(sed -n 's/^pan:1: \(.*\) (at depth \(.*\))$/\1, after \2 steps/p' pan.txt | head -1)"
  fi
  if [[ $want == holds && $verdict != holds || $want != holds && $verdict != *"$want"* ]]; then
    verdict="WRONG, not \"$want\": $verdict"
    failed=1
  fi
  printf '%-22s %12s  %s\n' "$name" "$states" "$verdict"
}

g1='work==' epochs='epoch>highest' guard='lateTerm==started' own='lease.term==' reach='story'

check right holds -DSENT=4
check right-longer holds -DL=3 -DR=2 -DS=1 -DSENT=3
check right-edits holds -DSENT=4 -DEDITS=1
check right-two-edits holds -DSENT=3 -DEDITS=2
check right-restore holds -DSENT=4 -DRESTORES=1
check right-crash holds -DSENT=3 -DCRASHES=1
check right-crash-edit holds -DSENT=3 -DCRASHES=1 -DEDITS=1
check right-crash-restore holds -DSENT=3 -DCRASHES=1 -DRESTORES=1
check right-fenced holds -DSENT=3 -DFENCED=1

check wrong-T1 "$g1" -DWRONG_T1
check wrong-T3 "$g1" -DWRONG_T3
check wrong-T5 "$g1" -DWRONG_T5
check wrong-T6 "$g1" -DWRONG_T6
check wrong-T8 "$g1" -DWRONG_T8
check wrong-C1 "$g1" -DWRONG_C1 -DEDITS=1
check wrong-C2 "$g1" -DWRONG_C2 -DEDITS=1
check wrong-C5 "$g1" -DWRONG_C5 -DEDITS=1
check wrong-C9 "$g1" -DWRONG_C9 -DRESTORES=1
check wrong-W4 "$g1" -DWRONG_W4 -DRESTORES=1
check wrong-W5 "$g1" -DWRONG_W5 -DRESTORES=1
check wrong-E1 "$epochs" -DWRONG_E1 -DRESTORES=1
check wrong-H1 "$guard" -DWRONG_H1 -DFENCED=1
check wrong-H5 "$g1" -DWRONG_H5
check wrong-H7 "$own" -DWRONG_H7

check exception-behind counterexample -DEXCEPTION_BEHIND -DRESTORES=1
check exception-acquire counterexample -DEXCEPTION_ACQUIRE -DRESTORES=1
check exception-history "$g1" -DEXCEPTION_HISTORY -DRESTORES=1 -DCRASHES=1
check exception-release "$g1" -DEXCEPTION_RELEASE -DRESTORES=1 -DCRASHES=1

check reached-handover "$reach" -DREACH=1
check reached-failover "$reach" -DREACH=2 -DCRASHES=1
check reached-restore "$reach" -DREACH=3 -DRESTORES=1
check reached-put-back "$reach" -DREACH=4 -DEDITS=1
check reached-refusal "$reach" -DREACH=5 -DFENCED=1
exit "$failed"
