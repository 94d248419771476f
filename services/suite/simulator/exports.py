"""The variables that point a Reelmesh, or any other back end, at the simulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from services.suite.simulator.settings import (
    ACCESS_KEY,
    ENDPOINT,
    KEY,
    MODEL,
    PROJECT,
    SECRET_KEY,
    WEBHOOK_SECRET,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.suite.simulator.world import World

ADDRESSES = {
    "RUNWAY": "/runway",
    "PIKA": "/fal",
    "FAL": "/fal",
    "LUMA": "/luma/v1",
    "LUMA_DREAM": "/luma_dream/dream-machine/v1",
    "GOOGLE": "/google",
    "OPENAI": "/openai",
    "AZURE_OPENAI": "/azure/openai",
    "LITELLM": "/litellm",
    "MINIMAX": "/minimax",
    "KLING": "/kling",
    "REPLICATE": "/replicate/v1",
    "HF": "/hf",
    "RUNPOD": "/runpod/v2",
    "STABILITY": "/stability",
    "ELEVENLABS": "/elevenlabs",
}
ENGINES = {"VLLM_OMNI": "/vllm_omni", "SGLANG": "/sglang", "FASTVIDEO": "/fastvideo"}


def variables(world: World) -> Mapping[str, str]:
    """Return name and value of every variable, in the order in which they are printed."""
    found: dict[str, str] = {}
    for name, path in ADDRESSES.items():
        found[f"{name}_BASE_URL"] = world.url + path
        found[f"{name}_API_KEY"] = KEY
    for name, path in ENGINES.items():
        found[f"{name}_BASE_URL"] = world.url + path
        found[f"{name}_MODEL"] = MODEL
    found |= {
        "AZURE_OPENAI_MODEL": "sora-2",
        "LITELLM_MODEL": MODEL,
        "FAL_PLATFORM_URL": f"{world.url}/fal/v1",
        "FAL_ADMIN_KEY": KEY,
        "KLING_ACCESS_KEY": ACCESS_KEY,
        "KLING_SECRET_KEY": SECRET_KEY,
        "KLING_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "REPLICATE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "VERTEX_BASE_URL": f"{world.url}/vertex",
        "VERTEX_ACCESS_TOKEN": KEY,
        "VERTEX_PROJECT": PROJECT,
        "RUNPOD_ENDPOINT_ID": ENDPOINT,
        "GENERATOR_RESULT_ALLOWED_HOSTS": json.dumps([urlsplit(world.media_url).netloc]),
    }
    return found


def export_lines(world: World) -> str:
    """Return the lines that a shell takes."""
    return "\n".join(f"export {name}='{value}'" for name, value in variables(world).items())
