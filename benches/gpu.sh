#!/usr/bin/env bash
# Checks and measures everything that runs on a GPU, in one go: benches/gpu.sh [PROGRAM] [FOLDER]
# PROGRAM: a release build with --features cuda [target/release/state-soup]; FOLDER: where the output goes [gpu-results].
# Needs a card of 24 GB or more; takes about two minutes on an H200. Nothing is downloaded: the weights are random.
set -uo pipefail
program=${1:-target/release/state-soup}
out=${2:-gpu-results}
mkdir -p "$out"
failed=0
step() { # step NAME COMMAND...: runs it, keeps and shows what it prints
    local name=$1 began=$SECONDS
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    "$@" 2>&1 | tee "$out/$name.txt"
    local rc=${PIPESTATUS[0]}
    printf -- '-- %s: exit code %s after %s s\n' "$name" "$rc" $((SECONDS - began))
    [ "$rc" = 0 ] || failed=1
}
step card nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv
step verify "$program" doctor --verify --device cuda:0 --quiet
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
        step "$tool" compute-sanitizer --error-exitcode 9 --tool "$tool" "$program" doctor --verify --device cuda:0 --quiet
    done
fi
step bundled "$program" bench --device cuda:0 --quiet
step random-130m "$program" bench --random 130m --device cuda:0 --runs 9 --quiet
step random-2.8b "$program" bench --random 2.8b --device cuda:0 --runs 9 --skills 300 --quiet
step stages-1x256 "$program" bench --random 2.8b --device cuda:0 --shapes 1x256 --batches 1 --quiet
step stages-32x256 "$program" bench --random 2.8b --device cuda:0 --shapes 32x256 --batches 1 --quiet
exit $failed
