"""Become two processes that compute together; see `pair`."""

import sys
from pathlib import Path

import torch

from tests.ranks.pair import main
from tests.tiny import build_pipeline

torch.set_num_threads(1)
build_pipeline(Path(sys.argv[1]) / "tiny")
main(Path(sys.argv[1]))
