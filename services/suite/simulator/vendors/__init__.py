"""One module per vendor: its paths, its words, its prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.suite.simulator.vendors.elevenlabs import ElevenLabs
from services.suite.simulator.vendors.fal import Fal
from services.suite.simulator.vendors.google import Google
from services.suite.simulator.vendors.huggingface import FalByHuggingFace, HuggingFace
from services.suite.simulator.vendors.kling import Kling
from services.suite.simulator.vendors.kling_legacy import KlingLegacy
from services.suite.simulator.vendors.luma import Luma
from services.suite.simulator.vendors.luma_dream import LumaDream
from services.suite.simulator.vendors.minimax import MiniMax
from services.suite.simulator.vendors.minimax_v2 import MiniMaxV2
from services.suite.simulator.vendors.openai import OpenAI
from services.suite.simulator.vendors.replicate import Replicate
from services.suite.simulator.vendors.runpod import RunPod
from services.suite.simulator.vendors.runway import Runway
from services.suite.simulator.vendors.stability import Stability
from services.suite.simulator.vendors.vertex import Vertex
from services.suite.simulator.vendors.video_servers import (
    Azure,
    FastVideo,
    LiteLLM,
    SGLang,
    VLLMOmni,
)

if TYPE_CHECKING:
    from services.suite.simulator.vendor import Vendor

VENDORS: tuple[type[Vendor], ...] = (
    Runway,
    Fal,
    Luma,
    LumaDream,
    Google,
    Vertex,
    OpenAI,
    Azure,
    VLLMOmni,
    SGLang,
    FastVideo,
    LiteLLM,
    MiniMax,
    MiniMaxV2,
    Kling,
    KlingLegacy,
    Replicate,
    FalByHuggingFace,
    HuggingFace,
    RunPod,
    Stability,
    ElevenLabs,
)
