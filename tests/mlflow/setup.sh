#!/bin/bash
# Installs a real MLflow server, and what reads tables in Python, into a folder: tests/mlflow/setup.sh [FOLDER]
# Tests use it where STPP_MLFLOW names that folder. A second call finds all there and does nothing.
set -euo pipefail
folder=${1:-$(dirname "$0")/../../target/mlflow}
wanted='mlflow[auth]==3.17.2 polars==2.1.0'
if [ "$(cat "$folder/installed" 2> /dev/null)" = "$wanted" ]; then exit 0; fi
command -v python3 > /dev/null || { echo "tests/mlflow/setup.sh needs python3 (3.10 or later)" >&2; exit 1; }
python3 -m venv --clear "$folder"
# shellcheck disable=SC2086
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check $wanted ||
  { echo "tests/mlflow/setup.sh: pip could not install $wanted: is there a network?" >&2; exit 1; }
echo "$wanted" > "$folder/installed"
