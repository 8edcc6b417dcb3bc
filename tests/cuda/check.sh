#!/bin/bash
# Type-checks everything behind the features `cuda` and `cudnn` on a machine without GPU, driver or CUDA toolkit.
#
# candle's CUDA crates call nvcc when they are built. A stand-in answers in its place: it says which version it is and
# leaves empty files where kernels would be. So this shows that all Rust of the CUDA path compiles, and nothing about
# device code, which it neither compiles nor runs.
#
# It works in target/check, where nothing is ever built to be run: cargo would take the empty kernels for real ones.
set -euo pipefail
cd "$(dirname "$0")/../.."

export CARGO_TARGET_DIR=$PWD/target/check
stand_in=$CARGO_TARGET_DIR/stand-in
mkdir -p "$stand_in"
cat > "$stand_in/nvcc" <<'NVCC'
#!/bin/sh
# Stands in for nvcc: compiles nothing.
source=; out=; folder=.; make=
while [ $# -gt 0 ]; do
  case $1 in
    --version)
      printf 'stand-in for nvcc\n-\n-\nCuda compilation tools, release 13.0, V13.0.88\n'
      exit 0 ;;
    --ptx) make=ptx ;;
    --lib) make=lib ;;
    -c) make=object ;;
    -o) out=$2; shift ;;
    --output-directory) folder=$2; shift ;;
    *.cu) source=$1 ;;
  esac
  shift
done
case $make in
  ptx) : > "$folder/$(basename "$source" .cu).ptx" ;;
  lib) printf '!<arch>\n' > "$out" ;;
  object) : > "$out" ;;
esac
NVCC
chmod +x "$stand_in/nvcc"

unset CUDA_PATH CUDA_ROOT CUDA_HOME CUDA_TOOLKIT_ROOT_DIR CUDNN_LIB
export NVCC=$stand_in/nvcc CUDARC_CUDA_VERSION=13000 CUDA_COMPUTE_CAP=80
exec cargo clippy --locked --all-targets --features cuda,cudnn -- -D warnings
