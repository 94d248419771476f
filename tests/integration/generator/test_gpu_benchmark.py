"""The script for GPU machines runs here on a tiny checkpoint, and ours is the equal of stock."""

import subprocess
import sys

import pytest


@pytest.mark.stress
@pytest.mark.xdist_group("torch")
@pytest.mark.timeout(400)
def test_the_lossless_tier_gives_stocks_own_pixels() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.gpu", "--tiny", "--steps", "3"]
    run = subprocess.run([*command, "ltx_video"], capture_output=True, text=True, check=True)
    assert "|   lossless, PSNR and cosine | inf dB, 1.00000 | the same pixels |" in run.stdout
