#!/usr/bin/env bash
# Installs spandrel alone into the environment of the interpreter named: it asks for torchvision,
# whose published build needs CUDA and beside any other torch makes every model's import fail.
# Upscaling uses none of it (services/generator/engines/local).
set -euo pipefail

PYTHONWARNINGS=ignore "$1" -m pip install --quiet --disable-pip-version-check \
  -c "$(dirname "$0")/../constraints.txt" --no-deps spandrel
