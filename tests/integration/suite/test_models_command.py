"""`reelmesh models pull|list|verify` as an operator runs them, on a hub over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.suite.cli import app
from tests.fakes.hub import FIRST, Hub

FILES = {
    "model_index.json": b'{"_class_name": "WanPipeline"}',
    "transformer/model.safetensors": b"weights" * 100,
    "transformer/model.py": b"raise SystemExit",
}


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub().serving() as hub:
        hub.publish("Wan-AI/Wan2.2-TI2V-5B-Diffusers", FILES)
        hub.publish("somebody/hunyuan", FILES)
        yield hub


async def told(hub: Hub, folder: Path, *words: str, answer: str = "") -> Any:
    environment = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "COLUMNS": "200"}
    return await asyncio.to_thread(
        CliRunner().invoke,
        app,
        ["models", *words, "--folder", str(folder)],
        input=answer,
        env=environment,
    )


async def test_weights_come_are_listed_and_are_looked_at_again(hub: Hub, tmp_path: Path) -> None:
    pulled = await told(hub, tmp_path, "pull", "wan_2_2_5b", answer="y\n")
    assert pulled.exit_code == 0, pulled.output
    assert "Apache-2.0; commercial use allowed" in pulled.output
    assert f"wan_2_2_5b at {FIRST[:12]}: 2 files" in pulled.output
    [row] = json.loads((await told(hub, tmp_path, "list", "--json")).output)["models"]
    assert (row["commit"], row["licence"]) == (FIRST, "Apache-2.0")
    assert "as it came" in (await told(hub, tmp_path, "verify")).output
    (tmp_path / "wan_2_2_5b" / "transformer" / "model.safetensors").write_bytes(b"other")
    broken = await told(hub, tmp_path, "verify", "wan_2_2_5b")
    assert broken.exit_code == 1
    assert "has 5 bytes instead of 700" in broken.output


async def test_who_does_not_agree_gets_nothing_and_unknown_models_are_named(
    hub: Hub, tmp_path: Path
) -> None:
    words = ("pull", "hunyuan_video", "--repository", "somebody/hunyuan")
    refused = await told(hub, tmp_path, *words, answer="n\n")
    assert refused.exit_code == 4
    assert "not in EU, UK, KR" in refused.output
    assert hub.fetched == []
    unknown = await told(hub, tmp_path, "pull", "sora")
    assert unknown.exit_code != 0
    assert "wan_2_2_5b" in unknown.output
    nowhere = await told(hub, tmp_path, "pull", "bark", "--accept-licence")
    assert nowhere.exit_code != 0
    assert "owner/name" in nowhere.output
    assert "LOCAL_BARK_PATH" in nowhere.output  # what to do instead
