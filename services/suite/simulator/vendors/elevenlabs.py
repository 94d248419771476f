"""ElevenLabs: speech, sound effects, music. The answer is the sound; an empty quota is a 401."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator import faults as kinds
from services.suite.simulator.asking import Ask, Refused, Why
from services.suite.simulator.jobs import Job, Order
from services.suite.simulator.media import Clip, Kind
from services.suite.simulator.settings import KEY_PREFIX
from services.suite.simulator.shape import (
    anything,
    flag,
    listing,
    nullable,
    number,
    one_of,
    record,
    text,
    whole,
)
from services.suite.simulator.vendor import Vendor
from services.suite.simulator.vendors.fal import details

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.suite.simulator.faults import Fault
    from services.suite.simulator.shape import Issue
    from services.suite.simulator.vendor import Handler

WORK_SECONDS = 0.4
LONGEST = {
    "eleven_multilingual_v2": 10_000,
    "eleven_flash_v2_5": 40_000,
    "eleven_turbo_v2_5": 40_000,
    "eleven_flash_v2": 30_000,
    "eleven_v3": 3_000,
}
SPEECH = record(
    {
        "text": text(shortest=1),
        "model_id": one_of(*LONGEST),
        "language_code": nullable(text(2, shortest=2)),
        "voice_settings": nullable(
            record(
                {
                    "stability": number(0, 1),
                    "similarity_boost": number(0, 1),
                    "style": number(0, 1),
                    "speed": number(0.7, 1.2),
                    "use_speaker_boost": flag,
                }
            )
        ),
        "seed": whole(0, 2**32 - 1),
        "previous_text": text(),
        "next_text": text(),
        "previous_request_ids": listing(text(), 0, 3),
        "next_request_ids": listing(text(), 0, 3),
        "pronunciation_dictionary_locators": listing(anything, 0, 3),
        "apply_text_normalization": one_of("auto", "on", "off"),
        "apply_language_text_normalization": flag,
    },
    "text",
)
SOUND = record(
    {
        "text": text(shortest=1),
        "duration_seconds": nullable(number(0.5, 30)),
        "prompt_influence": number(0, 1),
        "loop": flag,
        "model_id": one_of("eleven_text_to_sound_v2"),
    },
    "text",
)
MUSIC = record(
    {
        "prompt": text(shortest=1),
        "music_length_ms": nullable(whole(3000, 600_000)),
        "model_id": one_of("music_v1", "music_v2"),
        "force_instrumental": flag,
        "respect_sections_durations": flag,
        "store_for_inpainting": flag,
        "sign_with_c2pa": flag,
    },
    "prompt",
)
CODES = {
    Why.KEY: "invalid_api_key",
    Why.MISSING: "voice_not_found",
    Why.RATE: "rate_limit_exceeded",
    Why.QUOTA: "quota_exceeded",
    Why.CREDIT: "quota_exceeded",
    Why.MODERATED: "bad_prompt",
    Why.DOWN: "system_busy",
    Why.INVALID: "invalid_parameters",
}
FORMATS = (
    "mp3_22050_32",
    "mp3_24000_48",
    *(f"mp3_44100_{rate}" for rate in (32, 64, 96, 128, 192)),
)


def _spread(words: str, seconds: float) -> dict[str, Any]:
    """Return every character with its share of the time."""
    step = seconds / len(words)
    return {
        "characters": list(words),
        "character_start_times_seconds": [round(step * place, 3) for place in range(len(words))],
        "character_end_times_seconds": [
            round(step * (place + 1), 3) for place in range(len(words))
        ],
    }


class ElevenLabs(Vendor):
    """ElevenLabs."""

    name: ClassVar[str] = "elevenlabs"
    faults: ClassVar[frozenset[Fault]] = kinds.BEFORE | kinds.LOST | kinds.INLINE
    statuses: ClassVar[dict[Why, int]] = Vendor.statuses | {
        Why.INVALID: 422,
        Why.QUOTA: 401,
        Why.CREDIT: 401,
    }

    @override
    def doors(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", "/v1/text-to-speech/{voice}", self._speak
        yield "POST", "/v1/text-to-speech/{voice}/with-timestamps", self._speak
        yield "POST", "/v1/sound-generation", self._sound
        yield "POST", "/v1/music", self._music

    @override
    def opens(self, ask: Ask) -> bool:
        return ask.header("xi-api-key").startswith(KEY_PREFIX)

    @override
    def error(self, why: Why, message: str, issues: Sequence[Issue]) -> Any:
        if issues:
            return {"detail": details(issues)}
        code, request = CODES[why], self.world.new_uuid().hex
        told = {"type": "error", "code": code, "message": message, "status": code}
        return {"detail": {**told, "request_id": request, "param": None}}

    async def _speak(self, ask: Ask) -> Response:
        self.check(ask.body, SPEECH)
        words, model = ask.body["text"], ask.body.get("model_id", "eleven_multilingual_v2")
        if not ask.path("voice").isalnum():
            return self.refuse(Why.MISSING)
        if len(words) > LONGEST[model]:
            body = {"status": "max_character_limit_exceeded", "message": "The text is too long"}
            raise Refused(JSONResponse({"detail": body}, status_code=400))
        rate = 50 if "flash" in model or "turbo" in model else 100
        return await self._make(ask, model, words, max(0.5, len(words) / 15), rate * len(words))

    async def _sound(self, ask: Ask) -> Response:
        self.check(ask.body, SOUND)
        seconds = ask.body.get("duration_seconds") or 5.0
        words, model = ask.body["text"], "eleven_text_to_sound_v2"
        return await self._make(ask, model, words, seconds, round(seconds * 2_000))

    async def _music(self, ask: Ask) -> Response:
        self.check(ask.body, MUSIC)
        seconds = (ask.body.get("music_length_ms") or 30_000) / 1000
        words, model = ask.body["prompt"], ask.body.get("model_id", "music_v1")
        return await self._make(ask, model, words, seconds, round(seconds * 13_300))

    async def _make(self, ask: Ask, model: str, words: str, seconds: float, price: int) -> Response:
        wanted = ask.query("output_format") or "mp3_44100_128"
        if wanted not in {*FORMATS, "auto"}:
            return self.refuse(Why.INVALID, f"output_format {wanted} is not served here")
        order = Order(
            model=model,
            prompt=words,
            clip=Clip(Kind.AUDIO, seconds),
            price_micros=price,
            body=None,
            seconds=WORK_SECONDS,
        )

        async def answer(job: Job) -> Response:
            await self.work(job)
            headers = {"character-cost": str(len(words)), "request-id": job.id}
            sound = await self.inline(job)
            if not ask.request.url.path.endswith("/with-timestamps"):
                return Response(sound, media_type="audio/mpeg", headers=headers)
            told = {"audio_base64": b64encode(sound).decode(), "alignment": _spread(words, seconds)}
            return JSONResponse(told | {"normalized_alignment": None}, headers=headers)

        return await self.take(ask, order, answer)
