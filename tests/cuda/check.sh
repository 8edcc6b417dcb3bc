#!/bin/bash
# Checks what can be checked of the CUDA path on a machine without GPU, driver or CUDA toolkit.
#
#   tests/cuda/check.sh         type-checks everything behind the features `cuda` and `cudnn`
#   tests/cuda/check.sh link    links the program with both, and runs it where there is no card; says so and does
#                               nothing if it did that before and nothing it depends on has changed since
#
# candle's CUDA crates call nvcc when they are built. A stand-in answers in its place: it says which version it is and
# leaves empty files where kernels would be. NVIDIA's libraries have stand-ins too, whose every function returns an
# error, the driver's "no device". So this shows that all Rust of the CUDA path compiles and links and what
# happens without a card. It shows nothing about device code, which it neither compiles nor runs.
#
# Each part works in its own folder, where nothing is ever built to be used: cargo would take the empty kernels for real.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD

case ${1:-types} in
  types) export CARGO_TARGET_DIR=$root/target/check ;;
  link) export CARGO_TARGET_DIR=$root/target/cuda-link ;;
  *) echo "usage: $0 [link]" >&2; exit 2 ;;
esac
stand_in=$CARGO_TARGET_DIR/stand-in
mkdir -p "$stand_in/lib"

# nvcc, which is called in the folder of candle's kernels.
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
  object) : > "$out" ;;
  lib) # The functions that candle's Rust calls in this library, each failing.
    rm -f "$out"
    sed -nE 's/.*pub fn ([A-Za-z0-9_]+)\(.*/int \1(void) { return 1; }/p' src/ffi.rs > "$out.c"
    cc -c -w -fPIC -o "$out.o" "$out.c"
    ar rcs "$out" "$out.o" ;;
esac
NVCC
chmod +x "$stand_in/nvcc"

unset CUDA_PATH CUDA_ROOT CUDA_HOME CUDA_TOOLKIT_ROOT_DIR CUDNN_LIB
export NVCC=$stand_in/nvcc CUDARC_CUDA_VERSION=13000 CUDA_COMPUTE_CAP=80

if [ "${1:-types}" = types ]; then
  cargo clippy --locked --all-targets --features cuda,cudnn -- -D warnings
  exec cargo clippy --locked --lib --features cuda -- -D warnings
fi

# What decides how the program links and what it says without a card.
inputs=$(cat Cargo.lock Cargo.toml tests/cuda/check.sh $(find src/nn src/run -name '*.rs' | LC_ALL=C sort) | sha256sum)
passed=$CARGO_TARGET_DIR/passed
if [ -f "$passed" ] && [ "$(cat "$passed")" = "$inputs" ]; then
  echo "linked and run before, and nothing has changed since"
  exit 0
fi

# library NAME SONAME MODULE ERROR: a library with every function that cudarc declares in a module, each failing.
library() {
  { sed -nE 's/.*pub (unsafe )?fn (cu[A-Za-z0-9_]*|nvrtc[A-Za-z0-9_]*)\(.*/\2/p' "$cudarc/src/$3/sys/mod.rs" |
      grep -vx culib | LC_ALL=C sort -u | sed "s/.*/int &(void) { return $4; }/"; } |
    cc -shared -fPIC -w -fno-builtin -x c -Wl,-soname,"$2" -o "$stand_in/lib/lib$1.so" -
  ln -sf "lib$1.so" "$stand_in/lib/$2"
}
cudarc=$(cargo metadata --locked --format-version 1 --features cudnn |
  python3 -c 'import json, sys; print(*(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"))')
cudarc=${cudarc%/Cargo.toml}
library cuda libcuda.so.1 driver 100
library cublas libcublas.so.13 cublas 1
library cublasLt libcublasLt.so.13 cublaslt 1
library curand libcurand.so.10 curand 203
library nvrtc libnvrtc.so.13 nvrtc 5
library cudnn libcudnn.so.9 cudnn 1001
echo 'int cudaStandIn(void) { return 100; }' |
  cc -shared -fPIC -x c -Wl,-soname,libcudart.so.13 -o "$stand_in/lib/libcudart.so" -

# The linker looks into the folder lib of CUDA_HOME.
export CUDA_HOME=$stand_in CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0
cargo build --locked --bin stpp --features cuda,cudnn
stpp=$CARGO_TARGET_DIR/debug/stpp


work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/tiny.toml" <<'SPEC'
[data]
kind = "synthetic"
width = 24
height = 24
train = 4
val = 1
test = 1
classes = 3

[split]
labeled = 2

[model]
backbone = "resnet18"
width = 0.0625
output_stride = 16

[train]
iterations = 1
batch = 2
crop = 17
base_size = 24

[method]
name = "supervised"
SPEC

# run CODE WORDS ARGUMENTS…: runs the program among the stand-ins; it must end with CODE and say WORDS.
run() {
  local code=$1 words=$2 found=0
  shift 2
  (cd "$work" && LD_LIBRARY_PATH=$stand_in/lib "$stpp" "$@") > "$work/said" 2>&1 || found=$?
  if [ "$found" != "$code" ] || ! grep -qF "$words" "$work/said"; then
    printf 'stpp %s: exit code %s, expected %s and "%s"; it said\n' "$*" "$found" "$code" "$words" >&2
    cat "$work/said" >&2
    exit 1
  fi
  printf 'stpp %s: exit code %s, "%s"\n' "$*" "$code" "$words"
}
run 2 "failed to use cuda:0: there is an NVIDIA driver, but it finds no card" doctor --device cuda:0
run 2 "or use --device cpu" exp run tiny.toml --device cuda:7
run 2 "expected auto, cpu or cuda:N" exp run tiny.toml --device gpu
run 0 "training on the CPU (there is an NVIDIA driver, but it finds no card" exp run tiny.toml --device auto

# Without a driver the program does not even start; the README says what this means.
if ! ldconfig -p | grep -qF libcuda.so.1; then
  if said=$("$stpp" --version 2>&1); then echo "it starts without a driver: the README says otherwise" >&2; exit 1; fi
  grep -F "cannot open shared object file" <<< "$said"
fi
printf '%s\n' "$inputs" > "$passed"
