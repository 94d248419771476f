"""A plain order to every vendor, as its documents show it, and what refusals look like."""

import base64
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import httpx

from services.suite.simulator.settings import ENDPOINT, PROJECT


def png(width: int, height: int) -> bytes:
    """A PNG whose header has this size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


BEARER = {"authorization": "Bearer sim-test"}
INLINE = base64.b64encode(png(64, 64)).decode()
VERTEX = f"/vertex/v1/projects/{PROJECT}/locations/us-central1/publishers/google/models"


@dataclass(frozen=True)
class Order:
    """`unknown` is what an unknown field meets: a status and a word of the answer."""

    vendor: str
    path: str
    body: dict[str, Any]
    micros: int
    unknown: tuple[int, str]
    key: dict[str, str] = field(default_factory=lambda: BEARER)
    status: int = 200
    denied: tuple[int, str] = (401, "")
    files: dict[str, bytes] = field(default_factory=dict)
    inside: tuple[str, ...] = ()  # where in the body an unknown field is put
    form: bool = False

    def with_unknown(self) -> dict[str, Any]:
        body = {**self.body}
        inner = body
        for step in self.inside:
            inner[step] = {**inner[step]}
            inner = inner[step]
        inner["surprise"] = "x"
        return body

    async def send(
        self, http: httpx.AsyncClient, body: dict[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        sent = self.body if body is None else body
        keys = {**self.key, **headers}
        if not self.form:
            return await http.post(self.path, json=sent, headers=keys)
        parts: dict[str, Any] = {name: (None, str(value)) for name, value in sent.items()}
        parts |= {name: ("a.png", data, "image/png") for name, data in self.files.items()}
        return await http.post(self.path, files=parts, headers=keys)


RUNWAY = {**BEARER, "x-runway-version": "2024-11-06"}
CLIP = {"prompt": "fog", "seconds": "4", "size": "1280x720"}
ORDERS = [
    Order(
        "runway",
        "/runway/v1/text_to_video",
        {"model": "gen4.5", "promptText": "fog", "ratio": "1280:720", "duration": 5, "seed": 7},
        600_000,
        (400, "unrecognized_keys"),
        RUNWAY,
    ),
    Order(
        "fal",
        "/fal/fal-ai/pika/v2.2/text-to-video",
        {"prompt": "fog", "duration": 5, "resolution": "720p", "aspect_ratio": "16:9"},
        200_000,
        (422, "extra_forbidden"),
        {"authorization": "Key sim-test"},
    ),
    Order(
        "luma",
        "/luma/v1/generations",
        {"model": "ray-3.2", "type": "video", "prompt": "fog", "video": {"duration": "5s"}},
        300_000,
        (422, "extra_forbidden"),
        status=201,
    ),
    Order(
        "luma_dream",
        "/luma_dream/dream-machine/v1/generations/video",
        {"model": "ray-2", "prompt": "fog", "duration": "5s", "resolution": "720p"},
        400_000,
        (400, "extra_forbidden"),
        status=201,
    ),
    Order(
        "google",
        "/google/v1beta/interactions",
        {
            "model": "gemini-omni-1.1-flash",
            "input": "fog",
            "background": True,
            "response_format": {"type": "video", "duration": "8s", "delivery": "uri"},
        },
        800_000,
        (400, 'Unknown name \\"surprise\\"'),
        {"x-goog-api-key": "sim-test"},
        denied=(400, "API_KEY_INVALID"),
    ),
    Order(
        "vertex",
        f"{VERTEX}/veo-3.1-generate-001:predictLongRunning",
        {"instances": [{"prompt": "fog"}], "parameters": {"durationSeconds": 4}},
        1_600_000,
        (400, 'Unknown name \\"surprise\\"'),
        inside=("parameters",),
        denied=(401, "UNAUTHENTICATED"),
    ),
    Order(
        "openai",
        "/openai/v1/images/generations",
        {"model": "gpt-image-1.5", "prompt": "fog", "size": "1024x1024", "quality": "medium"},
        33_800,
        (400, "unknown_parameter"),
        denied=(401, "invalid_api_key"),
    ),
    Order(
        "openai",
        "/openai/v1/audio/speech",
        {"model": "tts-1", "input": "0123456789", "voice": "alloy"},
        150,
        (400, "unknown_parameter"),
        denied=(401, "invalid_api_key"),
    ),
    Order(
        "azure",
        "/azure/openai/v1/videos",
        CLIP,
        400_000,
        (400, "unknown_parameter"),
        {"api-key": "sim-test"},
    ),
    Order("vllm_omni", "/vllm_omni/v1/videos", CLIP, 0, (400, "unknown_parameter"), form=True),
    Order("sglang", "/sglang/v1/videos", {**CLIP, "seconds": 4}, 0, (400, "surprise")),
    Order("fastvideo", "/fastvideo/v1/videos", CLIP, 0, (400, "surprise")),
    Order("litellm", "/litellm/v1/videos", CLIP, 0, (400, "unknown_parameter")),
    Order(
        "minimax",
        "/minimax/v1/video_generation",
        {"model": "MiniMax-Hailuo-2.3", "prompt": "fog", "duration": 6, "resolution": "768P"},
        280_000,
        (200, "2013"),
        denied=(200, "1004"),
    ),
    Order(
        "minimax_v2",
        "/minimax/v2/video_generation",
        {
            "model": "MiniMax-H3",
            "content": [{"type": "text", "text": "fog"}],
            "resolution": "768P",
            "duration": 5,
            "ratio": "16:9",
        },
        400_000,
        (400, "bad_request_error"),
        denied=(401, "authorized_error"),
    ),
    Order(
        "kling",
        "/kling/text-to-video/kling-3.0",
        {"prompt": "fog", "settings": {"duration": 5, "resolution": "720p", "multi_shot": False}},
        420_000,
        (400, "1201"),
        denied=(401, "1002"),
    ),
    Order(
        "kling_legacy",
        "/kling/v1/videos/text2video",
        {"model_name": "kling-v2-6", "prompt": "fog", "duration": "5", "mode": "std"},
        210_000,
        (400, "1201"),
        denied=(401, "1002"),
    ),
    Order(
        "replicate",
        "/replicate/v1/models/black-forest-labs/flux-schnell/predictions",
        {"input": {"prompt": "fog", "num_outputs": 2}},
        6_000,
        (422, "invalid_fields"),
        status=201,
        inside=("input",),
    ),
    Order(
        "huggingface_fal",
        "/hf/fal-ai/fal-ai/wan/v2.2-5b/text-to-video?_subdomain=queue",
        {"prompt": "fog"},
        150_000,
        (422, "extra_forbidden"),
    ),
    Order(
        "huggingface",
        "/hf/hf-inference/models/hexgrad/Kokoro-82M",
        {"inputs": "fog", "parameters": {}},
        3_000,
        (422, "surprise"),
        inside=("parameters",),
    ),
    Order(
        "runpod",
        f"/runpod/v2/{ENDPOINT}/run",
        {"input": {"prompt": "fog"}, "policy": {"ttl": 60_000}},
        0,
        (400, "surprise"),
        inside=("policy",),
    ),
    Order(
        "stability",
        "/stability/v2beta/image-to-video",
        {"seed": "7"},
        200_000,
        (400, "bad_request"),
        files={"image": png(1024, 576)},
        form=True,
        denied=(401, "unauthorized"),
    ),
    Order(
        "elevenlabs",
        "/elevenlabs/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM",
        {"text": "0123456789", "model_id": "eleven_multilingual_v2"},
        1_000,
        (422, "extra_forbidden"),
        {"xi-api-key": "sim-test"},
        denied=(401, "invalid_api_key"),
    ),
]
