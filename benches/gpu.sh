#!/usr/bin/env bash
# On a machine with an NVIDIA GPU, in one go: builds with CUDA, holds the GPU against the processors, and measures: training
# steps of ten models, with our own CUDA kernels and without, beside PyTorch's (model after model, and all at once with vmap), `cluster` on MNIST with its defaults,
# and the paper's whole schedule (50 rounds of 10 models and 5 epochs, 1200-1200, batches of 256). Writes benches/gpu_results.md.
#
#   usage: benches/gpu.sh [--dry-run] [--rounds N] [--skip-paper] [--skip-peers] [--data FOLDER]
#
# FOLDER has MNIST's four idx files (default: $CONSILIENCE_DATA/mnist, then ../shared/data/mnist). $CUDA_HOME names a toolkit
# that is there; else tools/cuda_toolkit.sh fetches one. $TORCH_PYTHON is a Python with PyTorch for CUDA (default: that of
# benches/peers/train_step/setup.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "gpu: $*" >&2; }
die() { say "$*"; exit 2; }

dry='' rounds=50 paper=1 peers=1 data=''
while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) dry=1 ;;
        --rounds) rounds=${2:?--rounds needs a number}; shift ;;
        --skip-paper) paper='' ;;
        --skip-peers) peers='' ;;
        --data) data=${2:?--data needs a folder}; shift ;;
        *) die "unknown option $1" ;;
    esac
    shift
done
[[ $rounds =~ ^[0-9]+$ ]] || die "--rounds needs a number, got $rounds"

for folder in "$data" "${CONSILIENCE_DATA:-}/mnist" ../shared/data/mnist; do
    [ -z "$data" ] && [ -d "$folder" ] && data=$folder
done
readonly RESULTS=benches/gpu_results.md
python=${TORCH_PYTHON:-benches/peers/train_step/.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() { # COMMAND...: says what it does, and does it unless it is a dry run
    say "$*"
    [ -n "$dry" ] || "$@"
}

seconds() { # NAME COMMAND...: how long it took goes to times
    local name=$1 start end
    shift
    start=$(date +%s.%N)
    run "$@"
    end=$(date +%s.%N)
    printf '%s\t%.1f\n' "$name" "$(echo "$end - $start" | bc 2>/dev/null || python3 -c "print($end - $start)")" \
        >>"$work/times"
}

# 1. Build.
[ -n "$dry" ] || nvidia-smi >/dev/null || die "no GPU here (nvidia-smi fails); --dry-run shows what would be done"
if [ -z "${CUDA_HOME:-}" ]; then
    run tools/cuda_toolkit.sh
    # shellcheck disable=SC1091
    [ -n "$dry" ] || . .tools/cuda/env.sh
fi
[ -n "$dry" ] || { CMAKE=$(tools/setup.sh); export CMAKE; }
run cargo build --release --locked --features cuda
program=${CARGO_TARGET_DIR:-target}/release/consilience

# 2. The GPU against the processors.
export CONSILIENCE_NEED_GPU=1
tests=(cargo test --release --locked --features cuda --package consilience-ensembles --lib)
run "${tests[@]}" -- a_gpu kernels

# 3. Training steps.
say "${tests[*]} -- --ignored --nocapture speed_of_a_gpu"
if [ -z "$dry" ]; then
    "${tests[@]}" -- --ignored --nocapture speed_of_a_gpu 2>&1 | tee "$work/ours.log" >&2
    grep -o '{"c[^}]*}' "$work/ours.log" >"$work/steps" || die "no rates in ours"
fi
if [ -n "$peers" ]; then
    [ -n "$dry" ] || "$python" -c 'import torch; assert torch.cuda.is_available()' ||
        die "$python has no PyTorch that sees the GPU; name one in TORCH_PYTHON, or --skip-peers"
    step=benches/peers/train_step/train_step_gpu.py
    run "$python" "$step" --check
    for case in ladder ladder-labels ladder-vat ladder-vat-labels; do
        for mode in eager vmap; do
            for tf32 in '' --tf32; do
                say "$python $step $case --mode $mode $tf32"
                # shellcheck disable=SC2086
                [ -n "$dry" ] || "$python" "$step" "$case" --mode "$mode" $tf32 >>"$work/steps"
            done
        done
    done
fi

# 4. Whole runs.
if [ -n "$data" ]; then
    files=("$data"/*images*)
    common=(-k 10 --seed 1 --device cuda)
    for kernels in '' --kernels; do
        # shellcheck disable=SC2086
        seconds "cluster, defaults $kernels" "$program" cluster "${files[@]}" "${common[@]}" $kernels \
            --out "$work/defaults$kernels"
        # shellcheck disable=SC2086
        [ -z "$paper" ] || seconds "cluster --preset paper, $rounds rounds $kernels" "$program" cluster "${files[@]}" \
            "${common[@]}" $kernels --preset paper --rounds "$rounds" --out "$work/paper$kernels"
    done
else
    say "no MNIST: give --data, or set CONSILIENCE_DATA; whole runs are left out"
fi

# 5. What came out.
[ -z "$dry" ] || { say "would write $RESULTS"; exit 0; }
python3 - "$work" >"$RESULTS" <<'PYTHON'
import json, os, platform, subprocess, sys
from datetime import date
from pathlib import Path

work = Path(sys.argv[1])

def said(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip() or "unknown"

gpu = said("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader").splitlines()[0]
print("# On a GPU\n")
print(f"{date.today()}; {gpu}; {os.cpu_count()} processors, {platform.system()} {platform.release()}")
print(f"commit {said('git', 'rev-parse', '--short', 'HEAD')}; {said('rustc', '--version')}\n")
lines = [json.loads(line) for line in (work / "steps").read_text().splitlines()]
print("Training steps of ten models, samples a second of all together; the ratio is to PyTorch's best at the same precision.\n")
print("| case | precision | who | samples/s | ratio |\n| --- | --- | --- | --- | --- |")
rates = [line for line in lines if "case" in line]
for line in rates:
    same = [o for o in rates if (o["case"], o["precision"]) == (line["case"], line["precision"])]
    best = max((o["samples_per_second"] for o in same if not o["who"].startswith("ours")), default=None)
    who = line["who"] + (f", {line['stack']} at once" if "stack" in line else "")
    ratio = f"{line['samples_per_second'] / best:.2f}" if best and line["who"].startswith("ours") else ""
    print(f"| {line['case']} | {line['precision']} | {who} | {line['samples_per_second']:,.0f} | {ratio} |")
for line in lines:
    if "check" in line:
        print(f"\n{line['check']}: {'holds' if line['holds'] else 'does NOT hold'}")
if (work / "times").exists():
    print("\n| whole run on MNIST | seconds |\n| --- | --- |")
    for line in (work / "times").read_text().splitlines():
        print("| {} | {} |".format(*line.split("\t")))
PYTHON
say "wrote $RESULTS"
cat "$RESULTS"
