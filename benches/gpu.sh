#!/usr/bin/env bash
# Checks and measures everything that runs on a GPU, in one go: benches/gpu.sh [PROGRAM] [FOLDER]
# PROGRAM: a release build with --features cuda [target/release/state-soup]; FOLDER: where the output goes [gpu-results].
# Needs a card of 24 GB or more; takes about two minutes on an H200, and some more where compute-sanitizer is there, which comes last. Nothing is downloaded: the weights are random.
#
# benches/gpu.sh --compile: that the CUDA code compiles, on a machine without a card. Needs the CUDA toolkit (nvcc), for Rust and for the kernels, which are otherwise
# compiled for the model at hand when it is loaded.
set -uo pipefail
if [ "${1:-}" = --compile ]; then
    set -e
    # d_model d_inner d_state d_conv dt_rank vocabulary, and whether a single token has kernels of its own: every branch of the kernels.
    for sizes in '2560 5120 16 4 160 50280 1' '36 84 5 3 7 97 0' '128 256 64 2 8 200 0' '24 48 200 6 3 50 0'; do
        read -r m e n k r v fast <<<"$sizes"
        for act in 0 1 2; do
            nvcc --cubin -arch=sm_90 -std=c++17 -DACT=$act -DFAST="$fast" -DD_MODEL="$m" -DD_INNER="$e" -DD_STATE="$n" -DD_CONV="$k" -DDT_RANK="$r" -DVOCAB="$v" \
                -o /dev/null src/model/cuda/kernels.cu
        done
        echo "kernels compile for $e channels × $n entries in f32, bf16, f16"
    done
    CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90} cargo clippy --features cuda --all-targets -- -D warnings
    exit
fi
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
step bundled "$program" bench --device cuda:0 --quiet
step random-130m "$program" bench --random 130m --device cuda:0 --runs 9 --quiet
step random-2.8b "$program" bench --random 2.8b --device cuda:0 --runs 9 --shapes 1x4,1x64,1x256,1x2048,8x512,32x256,8x2048 --skills 300 --quiet
step stages-1x256 "$program" bench --random 2.8b --device cuda:0 --shapes 1x256 --batches 1 --quiet
step stages-32x256 "$program" bench --random 2.8b --device cuda:0 --shapes 32x256 --batches 1 --quiet
step short-of-memory "$program" bench --random 2.8b --device cuda:0 --shapes 1x256,8x2048 --batches 1 --leave 1000 --quiet
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
        step "$tool" compute-sanitizer --error-exitcode 9 --tool "$tool" "$program" doctor --verify --device cuda:0 --quiet
    done
fi
exit $failed
