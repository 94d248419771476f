"""OpenAI's images. Contract: openai-openapi 2.3.0 (read 2026-08-21).

The answer is the picture, in base64, after up to two minutes. `model` is always sent: the vendor's
default is an old one.
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
    decoded,
    items,
    merged,
    refused,
    sounds_moderated,
    text,
    text_of,
)

SIZES = {"1:1": "1024x1024", "3:2": "1536x1024", "2:3": "1024x1536"}


class OpenAIImages(Adapter):
    """OpenAI images."""

    base_url: str = "https://api.openai.com"

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.image
        body: dict[str, Json] = {
            "model": submission.vendor_model,
            "prompt": task.prompt,
            "n": task.count,
            "size": SIZES[task.aspect_ratio],
            "output_format": "png",
            **submission.wire,
        }
        json = merged(body, task.options)
        return Call(method="POST", path="/v1/images/generations", json=json)

    @override
    def accepted(self, reply: Reply) -> Outcome:
        pictures = [decoded(item, "b64_json") for item in items(reply.body, "data")]
        outputs = tuple(Output(data=data, media_type="image/png") for data in pictures if data)
        if outputs:
            return Succeeded(outputs=outputs)
        return Failed(fault=Fault.VENDOR, message="the answer holds no picture")

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        code = text(reply.body, "error", "code")
        if code == "insufficient_quota":
            return refused(reply, Fault.BILLING, code=code)
        if reply.status == 400 and sounds_moderated(f"{code} {text_of(reply.body)}"):
            return refused(reply, Fault.MODERATED, code=code)
        return refused(reply, Fault.RETIRED, code=code) if reply.status == 404 else None
