#!/usr/bin/env bash
# Lays out what `cargo build --features cuda` needs, from PyPI's wheels: CUDA 13.0's compiler, headers and libraries, 1.2 GB.
# No GPU or driver needed. The program built with it starts on any machine: archives of ours (lazy_stubs.py) stand in for
# CUDA's libraries, and open them when they are first called.
#
#   usage: tools/cuda_toolkit.sh [PREFIX]    then   . PREFIX/env.sh
#
# CUDA_COMPUTE_CAP names the GPU's architecture (90: H100, H200), where it isn't this machine's.
set -euo pipefail
HERE=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
readonly HERE
PREFIX=$(realpath -m "${1:-$HERE/../.tools/cuda}")
readonly PREFIX ROOT=$PREFIX/site/nvidia/cu13
# nvcc, crt, nvvm and nvrtc 13.0.88, cudart 13.0.96, cccl 13.0.85, cublas 13.1.0.3, curand 10.4.0.35. A newer compiler's code
# may be too new for a driver.
readonly TOOLKIT=13.0.2

command -v g++ >/dev/null || { echo "cuda_toolkit: missing: g++; install it, then run this again" >&2; exit 2; }

mkdir -p "$PREFIX"
[ -x "$ROOT/bin/nvcc" ] || "$HERE/pip.sh" "$PREFIX/site" --no-compile \
    "cuda-toolkit[nvcc,crt,nvvm,cudart,cccl,cublas,curand,nvrtc]==$TOOLKIT"
chmod +x "$ROOT"/bin/* "$ROOT"/nvvm/bin/cicc

# Where the compiler and candle's build look.
ln -sfn lib "$ROOT/lib64"
# What is linked: no shared library by its plain name, or it would be needed to start.
rm -rf "$ROOT/lib/stubs" "$ROOT"/lib/lib{cuda,cublas,cublasLt,curand,nvrtc,cudart}.so
python3 "$HERE/lazy_stubs.py" "$ROOT" "$ROOT/lib"

if [ -z "${CUDA_COMPUTE_CAP:-}" ]; then
    CUDA_COMPUTE_CAP=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | sed -n '1s/\.//p') || true
fi
cat >"$PREFIX/env.sh" <<X
export CUDA_HOME=$ROOT CUDA_PATH=$ROOT CUDA_ROOT=$ROOT
export PATH=$ROOT/bin:\$PATH
export CUDA_COMPUTE_CAP=\${CUDA_COMPUTE_CAP:-${CUDA_COMPUTE_CAP:-90}}
export NVCC_CCBIN=\${NVCC_CCBIN:-g++}
# Kernels that are never called take a fourth of the space.
export NVCC_APPEND_FLAGS=--compress-mode=size
export LIBRARY_PATH=$ROOT/lib\${LIBRARY_PATH:+:\$LIBRARY_PATH}
# Where the program finds libcublas.so.13, libcurand.so.10 and libnvrtc.so.13, if the system has none.
export CUDA_LIB_DIR=$ROOT/lib
X
"$ROOT/bin/nvcc" --version | sed -n 4p
echo "ready: . $PREFIX/env.sh"
