"""The script for GPU machines runs here: tiny, and with one layer of the real widths."""

import json
import re
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from services.generator.engines.local import memory
from tests.fakes.checkpoints import room_of

pytestmark = [
    pytest.mark.stress,
    pytest.mark.xdist_group("torch"),
    pytest.mark.timeout(400),
]


ROOT = Path(__file__).parents[3]


def told(*words: str) -> str:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.gpu", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_lossless_tier_gives_stocks_own_pixels() -> None:
    table = told("--tiny", "--steps", "3", "ltx_video")
    assert "|   lossless, PSNR and cosine | inf dB, 1.00000 | the same pixels |" in table
    for tier in ("standard", "fast"):
        assert f"|   {tier}, steps left out by the cache | " in table
    assert "| compiles | no: a processor gains nothing by it |" in table


def test_what_there_is_no_time_for_is_said_and_nothing_hangs() -> None:
    table = told("--tiny", "--steps", "3", "--seconds", "0", "ltx_video")
    assert "not measured: the time is over" in table


@pytest.mark.parametrize("family", ["flux_dev", "wan_2_1_14b"])
def test_a_family_runs_at_its_published_widths(family: str) -> None:
    table = told("--shallow", "--smoke", family)
    assert f"| {family}: " in table
    assert "failed" not in table
    assert "| runs |" in table


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("wan_2_1", 0.05), ("wan_2_1_i2v", 0.05), ("wan_2_2_5b", 0.05), ("ltx_video", 0.05),
        ("ltx_2", 0.05), ("hunyuan_video", 0.05), ("hunyuan_video_1_5", 0.05), ("cogvideox", 0.05),
        ("stability_svd", 0.05), ("flux_dev", 0.05), ("stable_audio", 0.05), ("ace_step", 0.05),
        ("sdxl", 0.15),  # much of it takes in words, which stay tiny
    ],
)  # fmt: skip
def test_a_denoiser_has_its_published_size(name: str, tolerance: float) -> None:
    from benchmarks.gpu.architectures import Made
    from benchmarks.gpu.sizes import SIZES

    with Made(device="meta").growing(name):
        made: Any = import_module(room_of(name)).CHECKPOINTS[name]()
    denoiser = getattr(made, "transformer", None) or made.unet
    assert type(denoiser).__name__ == SIZES[name].denoiser
    billions = sum(weight.numel() for weight in denoiser.parameters()) / 1e9
    assert billions == pytest.approx(SIZES[name].billions, rel=tolerance)


def test_what_is_there_is_kept_while_it_is_measured(tmp_path: Path) -> None:
    table = told(
        "--tiny", "--steps", "3", "--tiers", "lossless", "--out", str(tmp_path), "ltx_video"
    )
    rows = json.loads((tmp_path / "gpu.json").read_text())
    assert rows[0].keys() == {"name", "value", "against"}
    assert (tmp_path / "gpu.md").read_text() == table
    assert "standard" not in table


def test_what_breaks_is_said_and_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.gpu import __main__ as script
    from benchmarks.gpu import runs

    def broken(_self: object, tier: str) -> Any:
        message = f"{tier} needs\nanother card"
        raise RuntimeError(message)

    monkeypatch.setattr(runs.Bench, "ours", broken)
    asked = script.parsed(["--tiny", "--steps", "3", "ltx_video"])
    with tempfile.TemporaryDirectory() as scratch:
        rows = list(script.measure(asked, memory.processor(), Path(scratch)))
    said = [row.value for row in rows if row.value.startswith("failed")]
    assert said == [f"failed: RuntimeError: {tier} needs another card" for tier in script.TIERS]
    assert any(row.name == "  stock, a step" for row in rows)


def test_the_commands_of_the_documentation_make_sense() -> None:
    from benchmarks.gpu.__main__ import parsed

    text = (ROOT / "docs" / "engines.md").read_text()
    commands = re.findall(r"^    python -m benchmarks\.gpu([^#\n]*)", text, re.M)
    assert len(commands) == 4
    for words in commands:
        parsed(words.split())


@pytest.mark.parametrize(
    "words", [("sora",), ("--steps", "2"), ("--smoke", "whisper"), ("--tiers", "best")]
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        told("--tiny", *words)
    assert refused.value.returncode == 2
