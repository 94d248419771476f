"""What the models on fal take, and what they cost; a model that is not here takes any object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.suite.simulator.media import Clip, Kind
from services.suite.simulator.shape import (
    IMAGE,
    Check,
    anything,
    first_of,
    flag,
    nullable,
    number,
    one_of,
    record,
    text,
    whole,
)

Price = Callable[[Mapping[str, Any]], int]
UNKNOWN_PRICE = 50_000
NAMED_SIZES = {
    "square_hd": "1:1",
    "square": "1:1",
    "portrait_4_3": "3:4",
    "portrait_16_9": "9:16",
    "landscape_4_3": "4:3",
    "landscape_16_9": "16:9",
}
KONTEXT_RATIOS = ("21:9", "16:9", "4:3", "3:2", "1:1", "2:3", "3:4", "9:16", "9:21")
SIZE = first_of(
    one_of(*NAMED_SIZES),
    record({"width": whole(64, 14142), "height": whole(64, 14142)}, "width", "height"),
)
SEED = nullable(whole(0))


@dataclass(frozen=True, slots=True)
class Model:
    """`seconds` is the length where the input names none."""

    shape: Check
    kind: Kind
    price: Price
    seconds: float = 5.0


def _flux(*, steps: int) -> Check:
    return record(
        {
            "prompt": text(),
            "image_size": SIZE,
            "num_inference_steps": whole(1, steps),
            "guidance_scale": number(0, 35),
            "num_images": whole(1, 4),
            "seed": SEED,
            "enable_safety_checker": flag,
            "output_format": one_of("jpeg", "png"),
            "acceleration": one_of("none", "regular", "high"),
            "sync_mode": flag,
        },
        "prompt",
    )


def _kontext(*needed: str) -> Check:
    fields: dict[str, Check] = {
        "prompt": text(),
        "aspect_ratio": one_of(*KONTEXT_RATIOS),
        "guidance_scale": number(1, 20),
        "num_images": whole(1, 4),
        "output_format": one_of("jpeg", "png"),
        "safety_tolerance": one_of("1", "2", "3", "4", "5", "6"),
        "enhance_prompt": flag,
        "seed": SEED,
    }
    return record(fields | {name: IMAGE for name in needed}, "prompt", *needed)


def _pika(version: str, *, pictured: bool) -> Check:
    lines = ("720p", "1080p") if version == "2.2" else ("480p", "720p", "1080p")
    fields: dict[str, Check] = {
        "prompt": text(2000, shortest=1),
        "negative_prompt": text(),
        "resolution": one_of(*lines),
        "duration": one_of(5, 10),
        "seed": SEED,
    }
    if pictured:
        return record(fields | {"image_url": IMAGE}, "prompt", "image_url")
    if version == "2.2":
        fields["aspect_ratio"] = one_of("16:9", "9:16", "1:1", "4:5", "5:4", "3:2", "2:3")
    return record(fields, "prompt")


def _wan(*, pictured: bool) -> Check:
    fields: dict[str, Check] = {
        "prompt": text(5000),
        "negative_prompt": text(500),
        "resolution": one_of("720p", "1080p"),
        "duration": number(2, 15),
        "audio_url": anything,
        "seed": whole(0, 2**31 - 1),
    }
    if pictured:
        more: dict[str, Check] = {"image_url": IMAGE, "video_url": anything}
        return record(fields | more | {"end_image_url": IMAGE})
    ratios = one_of("16:9", "9:16", "1:1", "4:3", "3:4")
    return record(fields | {"aspect_ratio": ratios}, "prompt")


VEO = record(
    {
        "prompt": text(),
        "aspect_ratio": one_of("16:9", "9:16"),
        "duration": one_of("4s", "6s", "8s"),
        "resolution": one_of("720p", "1080p", "4k"),
        "generate_audio": flag,
        "auto_fix": flag,
        "safety_tolerance": one_of("1", "2", "3", "4", "5", "6"),
        "negative_prompt": text(),
        "seed": SEED,
    },
    "prompt",
)
SOUND = record(
    {
        "text": text(),
        "duration_seconds": number(0.5, 22),
        "prompt_influence": number(0, 1),
        "loop": flag,
        "output_format": text(),
    },
    "text",
)
SONG = record({"tags": text(), "lyrics": text(), "duration": number(5, 240), "seed": SEED}, "tags")
WAN_5B = record(
    {
        "prompt": text(),
        "negative_prompt": text(),
        "num_frames": whole(17, 161),
        "frames_per_second": whole(4, 60),
        "seed": SEED,
        "resolution": one_of("580p", "720p"),
        "aspect_ratio": one_of("16:9", "9:16", "1:1"),
        "num_inference_steps": whole(2, 50),
        "guidance_scale": number(1, 10),
    },
    "prompt",
)


def _times(micros: int, name: str, usual: int) -> Price:
    return lambda body: round(micros * float(str(body.get(name, usual)).rstrip("s")))


def _pika_price(small: int, large: int) -> Price:
    return lambda body: (
        (large if body.get("resolution") == "1080p" else small) * body.get("duration", 5) // 5
    )


def _veo_price(body: Mapping[str, Any]) -> int:
    second = 400_000 if body.get("generate_audio", True) else 200_000
    return second * int(str(body.get("duration", "8s")).rstrip("s"))


MODELS: dict[str, Model] = {
    "fal-ai/flux/schnell": Model(_flux(steps=12), Kind.IMAGE, _times(3_000, "num_images", 1)),
    "fal-ai/flux/dev": Model(_flux(steps=50), Kind.IMAGE, _times(25_000, "num_images", 1)),
    "fal-ai/flux-pro/kontext": Model(
        _kontext("image_url"), Kind.IMAGE, _times(40_000, "num_images", 1)
    ),
    "fal-ai/flux-pro/kontext/text-to-image": Model(
        _kontext(), Kind.IMAGE, _times(40_000, "num_images", 1)
    ),
    "fal-ai/wan/v2.7/text-to-video": Model(
        _wan(pictured=False), Kind.VIDEO, _times(100_000, "duration", 5)
    ),
    "fal-ai/wan/v2.7/image-to-video": Model(
        _wan(pictured=True), Kind.VIDEO, _times(100_000, "duration", 5)
    ),
    "fal-ai/wan/v2.2-5b/text-to-video": Model(WAN_5B, Kind.VIDEO, lambda _: 150_000),
    "fal-ai/veo3.1": Model(VEO, Kind.VIDEO, _veo_price, 8.0),
    "fal-ai/elevenlabs/sound-effects/v2": Model(SOUND, Kind.AUDIO, lambda _: 2_000),
    "fal-ai/ace-step": Model(SONG, Kind.AUDIO, lambda _: 12_000, 60.0),
}
for _version, _small, _large in (("2.2", 200_000, 450_000), ("2.5", 250_000, 500_000)):
    for _route, _pictured in (("text-to-video", False), ("image-to-video", True)):
        MODELS[f"fal-ai/pika/v{_version}/{_route}"] = Model(
            _pika(_version, pictured=_pictured), Kind.VIDEO, _pika_price(_small, _large)
        )
_SOUNDS = ("tts", "audio", "music", "sound", "speech", "kokoro")


def model_of(path: str) -> Model:
    """Return a model by its path; of an unknown one the name tells what it makes."""
    if path in MODELS:
        return MODELS[path]
    kind = Kind.IMAGE if "flux" in path or "image-to-image" in path else Kind.VIDEO
    if any(word in path for word in _SOUNDS):
        kind = Kind.AUDIO
    return Model(anything, kind, lambda _: UNKNOWN_PRICE)


def clip_of(model: Model, body: Mapping[str, Any]) -> Clip:
    """Return the file that a model makes of an input."""
    wanted = body.get("duration", body.get("duration_seconds", model.seconds))
    if "num_frames" in body:
        wanted = body["num_frames"] / body.get("frames_per_second", 24)
    try:
        seconds = float(str(wanted).rstrip("s"))
    except ValueError:
        seconds = model.seconds
    size = body.get("image_size", body.get("aspect_ratio", "16:9"))
    if isinstance(size, dict):
        size = f"{size['width']}:{size['height']}"
    count = body.get("num_images", 1)
    return Clip(model.kind, seconds, NAMED_SIZES.get(str(size), str(size)), count)
