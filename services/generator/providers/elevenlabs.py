"""ElevenLabs: speech, sound effects and music.

Contract: elevenlabs-python 2.59.0 (read 2026-07-23). The answer is the sound itself, of speech with
the time of each character; a used-up quota comes as 401; `character-cost` counts credits.
"""

from datetime import datetime

from typing_extensions import override

from services.generator.domain.tasks import MusicTask, SoundTask
from services.generator.providers.adapter import (
    Adapter,
    Call,
    Failed,
    Fault,
    Json,
    Outcome,
    Output,
    Reply,
    Submission,
    Succeeded,
    at,
    decoded,
    first_text,
    merged,
    refused,
    words_of,
)

FORMAT = "mp3_44100_128"
CODES = {
    "quota_exceeded": Fault.BILLING,
    "max_character_limit_exceeded": Fault.INVALID,
    "voice_not_found": Fault.INVALID,
    "bad_prompt": Fault.MODERATED,
    "concurrent_limit_exceeded": Fault.CONCURRENCY,
    "too_many_concurrent_requests": Fault.CONCURRENCY,
    "rate_limit_exceeded": Fault.RATE,
    "system_busy": Fault.UNAVAILABLE,
    "missing_permissions": Fault.FORBIDDEN,
    "detected_unusual_activity": Fault.FORBIDDEN,
}


class ElevenLabs(Adapter):
    """ElevenLabs. `voice_id` is the voice of tasks that name none."""

    base_url: str = "https://api.elevenlabs.io"
    voice_id: str = "21m00Tcm4TlvDq8ikWAM"

    @override
    def auth(self, now: datetime) -> dict[str, str]:
        return {"xi-api-key": self.api_key.get_secret_value()}

    @override
    def submit(self, submission: Submission) -> Call:
        path, body = self._ask(submission)
        json = merged(body, submission.task.options)
        return Call(method="POST", path=path, query={"output_format": FORMAT}, json=json)

    @override
    def accepted(self, reply: Reply) -> Outcome:
        data, words = reply.content, words_of(at(reply.body, "alignment"))
        if not reply.media_type.startswith("audio/"):
            data = decoded(reply.body, "audio_base64")
        if not data:
            return Failed(fault=Fault.VENDOR, message="the answer holds no sound")
        return Succeeded(outputs=(Output(data=data, media_type="audio/mpeg"),), words=words)

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        code = first_text(reply.body, ("detail", "code"), ("detail", "status"))
        return refused(reply, CODES[code], code=code) if code in CODES else None

    def _ask(self, submission: Submission) -> tuple[str, dict[str, Json]]:
        task, model = submission.task, submission.vendor_model
        seconds = getattr(task, "duration_seconds", None)
        if isinstance(task, SoundTask):
            sound: dict[str, Json] = {"text": task.prompt, "model_id": model, "loop": task.loop}
            return "/v1/sound-generation", {**sound, "duration_seconds": seconds}
        if isinstance(task, MusicTask):
            words = f"{task.prompt}\n\nLyrics:\n{task.lyrics}" if task.lyrics else task.prompt
            music: dict[str, Json] = {"prompt": words, "model_id": model}
            length = None if seconds is None else round(seconds * 1000)
            plain = task.instrumental
            return "/v1/music", {**music, "music_length_ms": length, "force_instrumental": plain}
        speech = submission.speech
        settings: Json = None if speech.speed is None else {"speed": speech.speed}
        return f"/v1/text-to-speech/{speech.voice or self.voice_id}/with-timestamps", {
            "text": speech.text,
            "model_id": model,
            "language_code": speech.language or None,
            "seed": speech.seed,
            "voice_settings": settings,
        }
