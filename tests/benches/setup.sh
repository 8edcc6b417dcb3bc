#!/bin/bash
# Sets up what `cargo bench --bench parity` compares with: PyTorch in a virtual environment, target/bench/python.
#
# pip's own settings choose where wheels come from. The default ones bring CUDA along, several GB that are not used
# here; with PIP_INDEX_URL at an index of PyTorch's CPU wheels it is a tenth of that.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=target/bench/python
[ -x "$python/bin/python" ] || python3 -m venv "$python"
"$python/bin/python" -m pip install --disable-pip-version-check --quiet \
  torch==2.15.0 torchvision==0.29.2 numpy==2.4.6 pillow==13.0.0
"$python/bin/python" -c 'import torch, torchvision; print("PyTorch", torch.__version__, "is ready")'
