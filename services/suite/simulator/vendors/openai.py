"""OpenAI: images and speech. Its videos were shut down on 2026-09-24 and answer 404."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Why
from services.suite.simulator.jobs import Job, Order
from services.suite.simulator.media import Clip, Kind
from services.suite.simulator.shape import (
    Issue,
    flag,
    matching,
    number,
    one_of,
    record,
    text,
    whole,
)
from services.suite.simulator.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from services.suite.simulator.faults import Fault
    from services.suite.simulator.vendor import Handler

SECONDS = 0.4
VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx"),
    *("nova", "sage", "shimmer", "verse", "marin", "cedar"),
)
SPEECH = record(
    {
        "model": one_of("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15"),
        "input": text(4096, shortest=1),
        "voice": one_of(*VOICES),
        "instructions": text(4096),
        "response_format": one_of("mp3", "opus", "aac", "flac", "wav", "pcm"),
        "speed": number(0.25, 4),
        "stream_format": one_of("audio", "sse"),
    },
    "model",
    "input",
    "voice",
)
# micro-USD of a 1024x1024 picture by quality
IMAGES = {
    "gpt-image-1": {"low": 11_000, "medium": 42_000, "high": 166_000},
    "gpt-image-1-mini": {"low": 2_200, "medium": 8_400, "high": 33_000},
    "gpt-image-1.5": {"low": 8_700, "medium": 33_800, "high": 133_000},
    "gpt-image-2": {"low": 6_000, "medium": 53_000, "high": 211_000},
}
OLD_MODEL, OLD_PRICE = "dall-e-2", 20_000  # what comes where no model is named
IMAGE = record(
    {
        "model": one_of(*IMAGES),
        "prompt": text(32_000, shortest=1),
        "n": whole(1, 10),
        "size": matching(r"auto|\d+x\d+", "a size"),
        "quality": one_of("auto", "low", "medium", "high"),
        "background": one_of("auto", "transparent", "opaque"),
        "output_format": one_of("png", "jpeg", "webp"),
        "output_compression": whole(0, 100),
        "moderation": one_of("auto", "low"),
        "stream": flag,
        "partial_images": whole(0, 3),
        "user": text(),
    },
    "prompt",
)
CODES = {
    Why.KEY: ("invalid_request_error", "invalid_api_key"),
    Why.INVALID: ("invalid_request_error", None),
    Why.MISSING: ("invalid_request_error", "model_not_found"),
    Why.RATE: ("requests", "rate_limit_exceeded"),
    Why.QUOTA: ("insufficient_quota", "insufficient_quota"),
    Why.CREDIT: ("insufficient_quota", "insufficient_quota"),
    Why.MODERATED: ("image_generation_user_error", "moderation_blocked"),
    Why.DOWN: ("server_error", None),
}
STATUSES = Vendor.statuses | {Why.CREDIT: 429}


def openai_error(why: Why, message: str, issues: Sequence[Issue]) -> Any:
    """Return OpenAI's error body."""
    kind, code = CODES[why]
    param = issues[0].where if issues else None
    if issues and issues[0].code == "unknown":
        message, code = f"Unknown parameter: '{param}'.", "unknown_parameter"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


class OpenAI(Vendor):
    """OpenAI."""

    name: ClassVar[str] = "openai"
    faults: ClassVar[frozenset[Fault]] = kinds.BEFORE | kinds.LOST | kinds.INLINE
    statuses: ClassVar[dict[Why, int]] = STATUSES

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/v1/images/generations", self._image
        yield "POST", "/v1/audio/speech", self._speech
        yield "POST", "/v1/videos", self._retired

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        return openai_error(why, message, issues)

    async def _image(self, ask: Ask) -> Response:
        self.check(ask.body, IMAGE, _sizes(ask.body))
        body = ask.body
        count, quality = body.get("n", 1), body.get("quality", "auto")
        size = body.get("size", "auto")
        ratio = "1:1" if size == "auto" else size.replace("x", ":")
        model = body.get("model", OLD_MODEL)
        prices = IMAGES.get(model, {})
        order = Order(
            model=model,
            prompt=body["prompt"],
            clip=Clip(Kind.IMAGE, ratio=ratio, count=count),
            price_micros=prices.get("medium" if quality == "auto" else quality, OLD_PRICE) * count,
            body=None,
            seconds=SECONDS,
        )

        async def answer(job: Job) -> Response:
            await self.work(job)
            files = [await self.inline(job, index) for index in range(count)]
            data = [{"b64_json": base64.b64encode(file).decode()} for file in files]
            usage = {"input_tokens": 10, "output_tokens": 1056, "total_tokens": 1066}
            created = int(job.created.timestamp())
            return JSONResponse({"created": created, "data": data, "usage": usage, "size": size})

        return await self.take(ask, order, answer)

    async def _speech(self, ask: Ask) -> Response:
        self.check(ask.body, SPEECH)
        words, model = ask.body["input"], ask.body["model"]
        if ask.body.get("response_format", "mp3") != "mp3":
            return self.refuse(Why.INVALID, "This server speaks mp3 alone")
        order = Order(
            model=model,
            prompt=words,
            clip=Clip(Kind.AUDIO, max(0.5, len(words) / 15)),
            price_micros=len(words) * (30 if model == "tts-1-hd" else 15),
            body=None,
            seconds=SECONDS,
        )

        async def answer(job: Job) -> Response:
            await self.work(job)
            return Response(await self.inline(job), media_type="audio/mpeg")

        return await self.take(ask, order, answer)

    async def _retired(self, ask: Ask) -> Response:
        del ask
        return self.refuse(Why.MISSING, "The Videos API was shut down on 2026-09-24.")


def _sizes(body: Any) -> Iterator[Issue]:
    size, model = body.get("size", "auto"), body.get("model")
    fixed = {"auto", "1024x1024", "1536x1024", "1024x1536"}
    if size not in fixed and model != "gpt-image-2":
        yield Issue(("size",), "choice", f"Must be one of {', '.join(sorted(fixed))}")
    elif size != "auto" and any(int(side) % 16 for side in re.findall(r"\d+", size)):
        yield Issue(("size",), "rule", "Both sides must be multiples of 16")
