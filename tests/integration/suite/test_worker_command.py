"""`reelmesh worker` as an operator starts it; what it works is in generator/test_gpu_workers.py."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.common.errors import Unavailable
from services.generator.domain.gpu_work import Tier
from services.generator.worker.gpu import __main__ as gpu
from services.generator.worker.gpu.settings import WorkerSettings
from services.suite.cli import app
from services.suite.commands.worker import settings_of


async def told(folder: Path, *words: str, **environment: str) -> Any:
    clean = {"COLUMNS": "200", "REELMESH_DATA_DIR": str(folder), **environment}
    return await asyncio.to_thread(CliRunner().invoke, app, ["worker", *words], env=clean)


def test_what_is_said_on_the_command_line_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GPU_WORKER_DEVICE", "1")
    monkeypatch.setenv("GPU_WORKER_DRAIN_SECONDS", "7")
    monkeypatch.setenv("GPU_WORKER_NAME", "node-a")
    given = {
        "device": 2,
        "engines": ["sdxl"],
        "tier": "fast",
        "name": None,
        "data_dir": tmp_path,
    }
    made = settings_of(given)
    assert (made.device, made.engines, made.tier) == (2, ("sdxl",), Tier.FAST)
    assert (made.drain_seconds, made.worker_name) == (7, "node-a")
    assert made.scratch == tmp_path / "scratch" / "node-a"


async def test_a_machine_without_weights_is_told_how_to_bring_some(
    nats_url: str, tmp_path: Path
) -> None:
    answer = await told(tmp_path, NATS_URL=nats_url)
    assert answer.exit_code == 4
    assert "reelmesh models pull" in answer.output


async def test_a_bus_that_is_not_there_is_named_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(settings: WorkerSettings, _opened: object) -> None:
        raise Unavailable(f"the event bus at {settings.nats_url} is not reachable")

    monkeypatch.setattr(gpu, "serve", serve)  # the real one tries for ten seconds
    answer = await told(tmp_path, NATS_URL="nats://10.9.8.7:4222")
    assert answer.exit_code == 4
    assert "10.9.8.7:4222" in answer.output
    assert "NATS_URL" in answer.output


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("--tier", "huge"), "GPU_WORKER_TIER"),
        (("--device", "-1"), "device"),
        (("--drain-seconds", "-1"), "drain-seconds"),
    ],
)
async def test_a_wrong_value_is_refused_by_its_name(
    tmp_path: Path, words: tuple[str, ...], field: str
) -> None:
    answer = await told(tmp_path, *words)
    assert answer.exit_code == 2
    assert field in answer.output
