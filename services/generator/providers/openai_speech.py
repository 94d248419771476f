"""OpenAI's speech. Contract: openai-openapi 2.3.0 (read 2026-08-21).

The answer is the sound itself, without a word on its cost.
"""

from typing_extensions import override

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
    merged,
    refused,
    text,
)


class OpenAISpeech(Adapter):
    """OpenAI text to speech."""

    base_url: str = "https://api.openai.com"

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.speech
        body: dict[str, Json] = {
            "model": submission.vendor_model,
            "input": task.text,
            "voice": task.voice or "alloy",
            "response_format": task.format,
        }
        if task.speed is not None:
            body["speed"] = task.speed
        return Call(method="POST", path="/v1/audio/speech", json=merged(body, task.options))

    @override
    def accepted(self, reply: Reply) -> Outcome:
        if not reply.content or not reply.media_type.startswith("audio/"):
            return Failed(fault=Fault.VENDOR, message="the answer holds no sound")
        return Succeeded(outputs=(Output(data=reply.content, media_type=reply.media_type),))

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        code = text(reply.body, "error", "code")
        if code == "insufficient_quota":
            return refused(reply, Fault.BILLING, code=code)
        return refused(reply, Fault.RETIRED, code=code) if reply.status == 404 else None
