#!/bin/bash
# Trains the golden network of `stpp doctor` on other CPUs, emulated, and fails if one bit differs from this machine's.
#
#     tests/emulation/check.sh [PROGRAM]        (target/release/stpp, where none is named)
#
# QEMU's user mode runs the program instruction by instruction as another model of CPU. Cache sizes it does not emulate,
# and the matrix library reads them from /sys, not from the CPU; so each model gets a /sys of its own, by the option that
# redirects paths, with the caches it has in reality. Natively every number of threads from 1 to 4 is tried as well.
#
# Needs QEMU 7.2, the first that knows AVX2. If it is not installed, Debian's package is unpacked under target/, which
# needs no root; where that is impossible the check says so and passes.
set -euo pipefail
cd "$(dirname "$0")/../.."

program=${1:-target/release/stpp}
work=$PWD/target/emulation
mkdir -p "$work"
store=$(mktemp -d)
trap 'rm -rf "$store"' EXIT

# Model, then size and ways of L1 data, L2 and L3. The golden network is so narrow that any real cache holds its blocks
# whole; the last row's caches, which no such CPU has, do not.
models='
Haswell          32K  8   256K  8    8192K 16
EPYC             32K  8   512K  8    8192K 16
Icelake-Server   48K 12  1280K 20   49152K 12
Skylake-Client   32K  8    64K  4     256K  4
'

# doctor COMMAND…: numerics class and golden trace, on one line.
doctor() {
  "$@" doctor --store "$store" > "$work/out" 2> "$work/err" || { cat "$work/err" "$work/out" >&2; return 1; }
  awk '/^numerics class/ { class = $3 } /^golden trace/ { trace = $3 } END { sub(":", "", trace); print class, trace }' \
    "$work/out"
}

# works QEMU: whether it runs, and knows AVX2.
works() { "$1" -cpu Haswell "$program" --version > /dev/null 2>&1 && "$1" --version | awk '
  NR == 1 { split($3, v, "."); exit !(v[1] > 7 || v[1] == 7 && v[2] >= 2) }'; }

# find_qemu: prints the path of one that works.
find_qemu() {
  local found package
  for found in "$(command -v qemu-x86_64)" "$(command -v qemu-x86_64-static)" "$work/qemu-x86_64"; do
    if [ -n "$found" ] && works "$found"; then echo "$found"; return; fi
  done
  command -v apt-get dpkg > /dev/null || return 1
  apt-cache show qemu-user-static > /dev/null 2>&1 || timeout 120 apt-get update > /dev/null 2>&1 || true
  for package in qemu-user-static qemu-user; do
    rm -rf "$work/package" && mkdir "$work/package"
    (cd "$work/package" && timeout 240 apt-get download "$package" && dpkg -x ./*.deb .) > /dev/null 2>&1 || continue
    for found in "$work"/package/usr/bin/qemu-x86_64{-static,}; do
      if works "$found"; then
        mv "$found" "$work/qemu-x86_64" && rm -rf "$work/package"
        echo "$work/qemu-x86_64"
        return
      fi
    done
  done
  return 1
}

# caches FOLDER SIZE WAYS SIZE WAYS SIZE WAYS: a /sys that shows these as L1 data, L2 and L3.
caches() {
  local folder=$1/sys/devices/system/cpu/cpu0/cache level index
  shift
  rm -rf "$folder" && mkdir -p "$folder"
  for level in 1 2 3; do
    index=$folder/index$level
    mkdir "$index"
    if [ "$level" = 1 ]; then echo Data; else echo Unified; fi > "$index/type"
    echo "$level" > "$index/level"
    echo "$1" > "$index/size"
    echo "$2" > "$index/ways_of_associativity"
    echo 64 > "$index/coherency_line_size"
    echo 0 > "$index/shared_cpu_list"
    shift 2
  done
}

here=$(doctor "$program")
echo "this machine: $here"
for threads in 1 2 3 4; do
  there=$(doctor env RAYON_NUM_THREADS=$threads "$program")
  [ "$there" = "$here" ] || { echo "with $threads threads: $there"; exit 1; }
done
echo "1, 2, 3 and 4 threads: the same"

case $here in *avx2+fma*) ;; *) echo "skipped: only the class avx2+fma is emulated, and this machine is $here"; exit ;; esac
qemu=$(find_qemu) || { echo "skipped: there is no qemu-x86_64 7.2 or newer, and none could be downloaded"; exit; }

failed=0
while read -r model sizes; do
  [ -n "$model" ] || continue
  # shellcheck disable=SC2086  # six words
  caches "$work/$model" $sizes
  shown=$("$qemu" -L "$work/$model" /bin/cat /sys/devices/system/cpu/cpu0/cache/index1/size)
  [ "$shown" = "${sizes%% *}" ] || { echo "$model: the emulator does not redirect /sys"; failed=1; }
  start=$SECONDS
  there=$(doctor "$qemu" -cpu "$model" -L "$work/$model" "$program") || { echo "$model: the program failed"; failed=1; continue; }
  if [ "$there" = "$here" ]; then verdict="the same"; else verdict="differs: $there" failed=1; fi
  echo "$model, caches $sizes: $verdict ($((SECONDS - start)) s)"
done <<< "$models"
exit "$failed"
