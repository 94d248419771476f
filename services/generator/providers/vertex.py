"""Google Veo's long-running operations, on Vertex AI.

Contract: docs.cloud.google.com (read 2026-09). Polling is a POST; `done` without samples but with
reasons is moderation; the clip comes as an address in a bucket or inline.
"""

import re
from collections.abc import Mapping
from typing import ClassVar

from typing_extensions import override

from services.generator.domain.tasks import Media
from services.generator.providers.adapter import (
    Call,
    Failed,
    Fault,
    GoogleAccount,
    Json,
    Output,
    Reply,
    Running,
    Submission,
    Succeeded,
    Update,
    at,
    decoded,
    failed,
    items,
    merged,
    refused,
    sounds_moderated,
    text,
    text_of,
)


class Vertex(GoogleAccount):
    """Veo on Vertex AI, for a service account."""

    poll_seconds: ClassVar[float] = 10.0
    job_key: ClassVar[tuple[str | int, ...]] = ("name",)
    result_hosts: ClassVar[frozenset[str]] = frozenset({"storage.googleapis.com"})

    base_url: str = "https://us-central1-aiplatform.googleapis.com"
    project: str
    location: str = "us-central1"
    storage_uri: str = ""

    @override
    def submit(self, submission: Submission) -> Call:
        task = submission.video
        instance: dict[str, Json] = {"prompt": task.prompt}
        for key, media in (("image", task.image), ("lastFrame", task.last_image)):
            if media is not None:
                instance[key] = _picture(media)
        parameters: dict[str, Json] = {
            "aspectRatio": task.aspect_ratio,
            "durationSeconds": int(task.duration_seconds or 8),
            "resolution": task.resolution,
            "negativePrompt": task.negative_prompt,
            "storageUri": self.storage_uri,
            "seed": task.seed,
            "generateAudio": task.audio,
            "sampleCount": 1,
        }
        body: dict[str, Json] = {
            "instances": [instance],
            "parameters": merged(parameters, task.options),
            "labels": _labels(submission.labels),
        }
        where = f"/v1/projects/{self.project}/locations/{self.location}/publishers/google/models"
        path = f"{where}/{submission.vendor_model}:predictLongRunning"
        return Call(method="POST", path=path, json=merged(body, {}))

    @override
    def poll(self, job: str) -> Call:
        path = f"/v1/{job.partition('/operations/')[0]}:fetchPredictOperation"
        return Call(method="POST", path=path, json={"operationName": job})

    @override
    def update(self, job: str, reply: Reply) -> Update | Call:
        if at(reply.body, "done") is not True:
            return Running()
        if at(reply.body, "error"):
            return failed(text_of(reply.body), code=text(reply.body, "error", "status"))
        answer = at(reply.body, "response")
        outputs = tuple(filter(None, map(_output, items(answer, "videos"))))
        if outputs:
            return Succeeded(outputs=outputs)
        why = "; ".join(map(str, items(answer, "raiMediaFilteredReasons")))
        return Failed(fault=Fault.MODERATED, message=why or "no video came back", billed=False)

    @override
    def refusal(self, reply: Reply) -> Failed | None:
        faults = {"FAILED_PRECONDITION": Fault.BILLING, "NOT_FOUND": Fault.RETIRED}
        moderated = reply.status == 400 and sounds_moderated(text_of(reply.body))
        fault = Fault.MODERATED if moderated else faults.get(text(reply.body, "error", "status"))
        return refused(reply, fault) if fault else None


def _labels(labels: Mapping[str, str]) -> Json:
    """Return what the bill can be told apart by, in the letters that labels may have."""
    plain = {name: re.sub(r"[^a-z0-9_-]", "_", word.lower()) for name, word in labels.items()}
    return {name: word[:63] for name, word in plain.items() if word}


def _picture(media: Media) -> Json:
    return {"bytesBase64Encoded": media.base64, "mimeType": media.media_type}


def _output(video: Json) -> Output | None:
    kind = text(video, "mimeType") or "video/mp4"
    data = decoded(video, "bytesBase64Encoded")
    if data:
        return Output(data=data, media_type=kind)
    name = text(video, "gcsUri").removeprefix("gs://")
    url = f"https://storage.googleapis.com/{name}"
    return Output(url=url, media_type=kind, authenticated=True) if name else None
