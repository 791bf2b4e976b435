#!/usr/bin/env bash
# Trains on a machine with one or more GPUs whose commands are limited to ten minutes. The same command is given again and again, at once:
# every call trains a part and leaves a checkpoint on the machine, the next resumes it on the clock of the whole run; the last evaluates.
#   bash assets/bundled/train/device.sh MINUTES_OF_TRAINING [SECONDS_OF_A_CALL]
# Needs assets/bundled/train/prepared (prepare.py). Training starts from the weights in assets/bundled (SCRATCH=1: from random ones).
# If the machine is lost between two calls: put the model.safetensors that came back in assets/bundled and say SPENT=SECONDS (the last
# "seconds" of log.jsonl): the clock and so the learning rate go on, the moments begin anew. Keep the file of before for the comparison.
# GPUS, TOKENS (a step and GPU), RATE, SEED, TRAIN_EXTRA, EVAL_EXTRA, CHECK=0 may be set to rehearse it at a toy size on a CPU.
# $OUT gets model.safetensors (16-bit), log.jsonl, out.log and, once finished, eval*.json.
MINUTES=${1:?minutes of training}
CALL=${2:-575}
RUN=${RUN:-/tmp/state-soup-training}
OUT=${OUT:-/tmp/state-soup-out}
PYTHON=${PYTHON:-python3}
export PYTHONUNBUFFERED=1
HERE=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$OUT" "$RUN"
GPUS=${GPUS:-$($PYTHON -c 'import torch; print(torch.cuda.device_count())')}

if [ ! -e "$RUN/started" ]; then
    # The tree is replaced at every call: work on a copy. evaluate.py looks for assets/everyday.tsv two folders up.
    mkdir -p "$RUN/assets/bundled/train" "$RUN/assets/bundled/before"
    cp -r "$HERE"/*.py "$HERE/prepared" "$HERE/unseen" "$HERE/facts" "$RUN/assets/bundled/train/"
    cp "$HERE/../../everyday.tsv" "$RUN/assets/"
    cp "$HERE/../config.json" "$HERE/../tokenizer.json" "$HERE/../model.safetensors" "$RUN/assets/bundled/before/"
    cp "$HERE"/private_everyday.tsv "$RUN/" 2> /dev/null
    cd "$RUN/assets/bundled/train" || exit 1
    nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2> /dev/null
    if [ "${CHECK:-1}" = 1 ] && ! $PYTHON check_kernels.py "$RUN/tuning.json" > "$RUN/check.log" 2>&1; then
        tail -n 30 "$RUN/check.log"
        echo "THE KERNELS DO NOT AGREE WITH THE REFERENCE: nothing was trained"
        exit 1
    fi
    touch "$RUN/started"
fi

cd "$RUN/assets/bundled/train" || exit 1
[ "$GPUS" -gt 1 ] && SIZE=98304 || SIZE=131072
LAUNCH="$PYTHON"
[ "$GPUS" -gt 1 ] && LAUNCH="$PYTHON -m torch.distributed.run --standalone --nproc_per_node $GPUS"
if [ ! -e "$RUN/run/done" ]; then
    FROM="--weights ../before/model.safetensors --spent ${SPENT:-0}"
    [ "${SCRATCH:-0}" = 1 ] && FROM=""
    [ -e "$RUN/run/checkpoint.pt" ] && FROM="--resume $RUN/run/checkpoint.pt"
    # 45 s of a call are for compiling, saving and export.
    $LAUNCH train.py --prepared prepared --out "$RUN/run" --minutes "$MINUTES" \
        --stop-seconds $((CALL - SECONDS - 45)) --lr "${RATE:-2e-3}" --seed "${SEED:-1}" \
        --tokens-per-step "${TOKENS:-$SIZE}" --tuning "$RUN/tuning.json" $FROM $TRAIN_EXTRA >> "$RUN/out.log" 2>&1 || { tail -n 40 "$RUN/out.log"; echo FAILED; }
fi
LAST=$RUN/run/checkpoint.pt
[ -e "$RUN/run/done" ] && LAST=$RUN/run/final.pt
$PYTHON export.py "$LAST" "$RUN/exported" --prepared prepared
cp "$RUN/exported/model.safetensors" "$RUN/run/log.jsonl" "$OUT/"
tail -n 3 "$RUN/run/log.jsonl"
if [ -e "$RUN/run/done" ] && [ ! -e "$RUN/finished" ] && [ $((CALL - SECONDS)) -ge "${EVAL_ROOM:-180}" ]; then
    # Three at once on one card.
    EVERYDAY=""
    [ -e "$RUN/private_everyday.tsv" ] && EVERYDAY="--everyday $RUN/private_everyday.tsv"
    $PYTHON evaluate.py --weights "$RUN/exported" --prepared prepared --out "$RUN/eval.json" --queries 32 $EVERYDAY $EVAL_EXTRA \
        > "$RUN/eval.log" 2>&1 &
    A=$!
    $PYTHON evaluate.py --weights ../before --prepared prepared --out "$RUN/eval_before.json" --queries 32 $EVERYDAY $EVAL_EXTRA \
        > "$RUN/eval_before.log" 2>&1 &
    B=$!
    $PYTHON evaluate.py --weights "$RUN/exported" --prepared prepared --out "$RUN/eval_qa.json" --queries 16 --template 1 $EVAL_EXTRA \
        > "$RUN/eval_qa.log" 2>&1 &
    wait $A && wait $B && wait $! && touch "$RUN/finished"
fi
cp "$RUN"/eval*.json "$OUT/" 2> /dev/null
cat "$RUN/check.log" "$RUN/out.log" > "$OUT/out.log" 2> /dev/null
cat "$RUN"/eval*.log > "$OUT/eval.log" 2> /dev/null
if [ -e "$RUN/finished" ]; then tail -n 40 "$RUN/eval.log"; echo FINISHED; else echo "NOT YET: give the same command again at once"; fi
