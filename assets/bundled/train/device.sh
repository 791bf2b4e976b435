#!/usr/bin/env bash
# Trains on a machine with one or more GPUs whose commands are limited to ten minutes. The same command is given again and again:
# the first starts the training in a session of its own, later ones wait for it and bring back what there is.
#   bash assets/bundled/train/device.sh MINUTES_OF_TRAINING [SECONDS_TO_WAIT]
# Needs assets/bundled/train/prepared (prepare.py). If prepared/resume.safetensors exists, training starts from those weights.
# GPUS, TOKENS (a step and GPU), TRAIN_EXTRA, EVAL_EXTRA may be set to rehearse it at a toy size on a CPU.
# $OUT gets model.safetensors (16-bit), log.jsonl, out.log and, once finished, eval*.json.
MINUTES=${1:?minutes of training}
WAIT=${2:-560}
RUN=/tmp/state-soup-training
OUT=${OUT:-/tmp/state-soup-out}
export PYTHONUNBUFFERED=1
cd "$(dirname "$0")" || exit 1
mkdir -p "$OUT" "$RUN"
GPUS=${GPUS:-$(python3 -c 'import torch; print(torch.cuda.device_count())')}

if [ ! -e "$RUN/started" ]; then
    # The tree is replaced at every call: work on a copy.
    cp -r ./*.py prepared "$RUN/" && mkdir -p "$RUN/before" && cp ../config.json ../tokenizer.json ../model.safetensors "$RUN/before/"
    cd "$RUN" || exit 1
    nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
    if ! python3 check_kernels.py tuning.json 2>&1 | tee check.log | tail -n 30 || [ "${PIPESTATUS[0]}" != 0 ]; then
        echo "THE KERNELS DO NOT AGREE WITH THE REFERENCE: nothing was trained"
        exit 1
    fi
    [ "$GPUS" -gt 1 ] && SIZE=98304 || SIZE=131072
    TOKENS=${TOKENS:-$SIZE}
    WEIGHTS=""
    [ -e prepared/resume.safetensors ] && WEIGHTS="--weights prepared/resume.safetensors"
    cat > go.sh <<GO
cd $RUN
python3 -m torch.distributed.run --standalone --nproc_per_node $GPUS train.py --prepared prepared --out run --minutes $MINUTES --tokens-per-step $TOKENS --tuning tuning.json $WEIGHTS $TRAIN_EXTRA || touch failed
if [ -e run/done ]; then
    python3 export.py run/final.pt exported --prepared prepared
    CUDA_VISIBLE_DEVICES=0 python3 evaluate.py --weights exported --prepared prepared --out eval.json --queries 32 $EVAL_EXTRA > eval.log 2>&1 &
    CUDA_VISIBLE_DEVICES=$((GPUS - 1)) python3 evaluate.py --weights exported --prepared prepared --out eval_qa.json --queries 16 --template 1 $EVAL_EXTRA > eval_qa.log 2>&1 &
    CUDA_VISIBLE_DEVICES=$((GPUS - 1)) python3 evaluate.py --weights before --tokenizer before --prepared prepared --out eval_before.json --queries 16 $EVAL_EXTRA > eval_before.log 2>&1 &
    wait
fi
touch finished
GO
    touch started
    setsid nohup bash go.sh > out.log 2>&1 < /dev/null &
fi

cd "$RUN" || exit 1
while [ $SECONDS -lt "$WAIT" ] && [ ! -e finished ]; do sleep 1; done
if [ -e run/final.pt ]; then python3 export.py run/final.pt brought --prepared prepared; elif [ -e run/checkpoint.pt ]; then python3 export.py run/checkpoint.pt brought --prepared prepared; fi
cp brought/model.safetensors run/log.jsonl eval*.json "$OUT/" 2> /dev/null
cat check.log out.log > "$OUT/out.log"
cat eval*.log > "$OUT/eval.log" 2> /dev/null
tail -n 3 run/log.jsonl
if [ -e failed ]; then tail -n 40 out.log; fi
if [ -e finished ]; then tail -n 30 eval.log; echo FINISHED; else echo "STILL TRAINING: give the same command again at once"; fi
