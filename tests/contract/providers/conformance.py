"""What every vendor's adapter must do, told by recorded answers: a folder per provider.

The name of a recording says what it is: `submit_*` a task and the call it becomes; `submitted*`,
`answered*`, `refused_<fault>*`, `unknown_*` answers to a submit; `queued*`, `running*`,
`succeeded*`, `failed*`, `moderated*`, `cancelled*`, `expired*`, `lost*`, `retry_*` answers to a
poll; `cancel*`, `found*` and `webhook*` the rest.
"""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx

from services.generator.domain.limits import validate_request
from services.generator.domain.models import Model
from services.generator.domain.tasks import (
    Edit,
    ImageTask,
    Media,
    MusicTask,
    SoundTask,
    SpeechTask,
    Task,
    VideoTask,
)
from services.generator.providers import configured, variables
from services.generator.providers.adapter import Accepted, Adapter, Submission
from services.generator.providers.client import Client

RECORDINGS = Path(__file__).parent / "recordings"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = "top-secret-4711-" + "x" * 32
OWN_SERVER = "http://engine.test:8091"
KINDS = {
    "video": VideoTask,
    "image": ImageTask,
    "speech": SpeechTask,
    "music": MusicTask,
    "sound": SoundTask,
}


@dataclass(frozen=True)
class Recording:
    """One file: `told` is its content."""

    provider: str
    name: str
    told: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.provider}-{self.name}"

    @property
    def expected(self) -> dict[str, Any]:
        return dict(self.told.get("expect", {}))


def recordings_of(provider: str, root: Path = RECORDINGS) -> list[Recording]:
    """Return a provider's recordings; a provider without any has not shown that it works."""
    found = [
        Recording(provider, path.stem, json.loads(path.read_text()))
        for path in sorted((root / provider).glob("*.json"))
    ]
    assert found, f"{provider} has no recorded answers"
    return found


def settings_for(provider: str) -> dict[str, str]:
    """Return an environment in which the provider is set up, every secret being SECRET."""
    plain = {
        "MODEL": "served-model",
        "PROJECT": "acme",
        "ENDPOINT_ID": "ep123",
    }
    told: dict[str, str] = {}
    for name in variables(provider):
        for ending, value in plain.items():
            if name.endswith(ending):
                told[name] = value
        if name.endswith(("API_KEY", "ACCESS_KEY", "SECRET_KEY", "ACCESS_TOKEN")):
            told[name] = SECRET
        needs_address = provider in {"stability", "azure", "vllm_omni", "sglang", "fastvideo"}
        if name.endswith("BASE_URL") and (needs_address or provider == "litellm"):
            told[name] = OWN_SERVER
    return told


def adapter_of(provider: str) -> Adapter:
    """Return the provider's adapter with made-up credentials."""
    adapter = configured(settings_for(provider)).get(provider)
    assert adapter is not None, f"{provider} is not set up by {settings_for(provider)}"
    return adapter


def task_of(told: dict[str, Any]) -> Task:
    """Return the task that a recording spells in JSON."""
    values = dict(told["task"])
    if "edit" in values:
        values["edit"] = Edit(values["edit"])
    for name in ("image", "last_image", "video"):
        if name in values:
            media = dict(values[name])
            if "data" in media:
                media["data"] = base64.b64decode(media["data"])
            values[name] = Media(**media)
    kind = KINDS[told.get("kind", "video")]
    assert set(values) <= {field.name for field in fields(kind)}
    task: Task = kind(**values)
    return task


def submission_of(recording: Recording, model: Model) -> Submission:
    """Return the submission that the machine would make of a recorded task."""
    task = validate_request(model, task_of(recording.told)).task
    return Submission(
        vendor_model=model.vendor_model(task),
        task=task,
        generation="gen-1",
        wire=model.wire,
        webhook_url=recording.told.get("webhook_url", ""),
        labels=recording.told.get("labels", {}),
    )


def answer(reply: dict[str, Any]) -> httpx.Response:
    """Return the recorded reply as it was on the wire."""
    headers = reply.get("headers", {})
    if "base64" in reply:
        content = base64.b64decode(reply["base64"])
        return httpx.Response(reply["status"], headers=headers, content=content)
    if "text" in reply:
        return httpx.Response(reply["status"], headers=headers, text=reply["text"])
    if "body" not in reply:
        return httpx.Response(reply["status"], headers=headers)
    return httpx.Response(reply["status"], headers=headers, json=reply["body"])


class Vendor:
    """The far end of the wire: gives the recorded answers one after the other, keeps the calls."""

    def __init__(self, replies: list[dict[str, Any]]) -> None:
        self._replies = iter(replies)
        self.calls: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.calls.append(request)
        return answer(next(self._replies))


def client(adapter: Adapter, handler: Callable[[httpx.Request], httpx.Response]) -> Client:
    """Return a client whose wire ends at `handler`."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler), trust_env=False)
    return Client(adapter, http, now=lambda: NOW)


async def accepted_job(
    adapter: Adapter, recordings: list[Recording], submission: Submission
) -> str:
    """Return the job that the recorded answer to a submit leads to."""
    submitted = next(one for one in recordings if one.name.startswith("submitted"))
    outcome = await client(adapter, Vendor(submitted.told["replies"])).submit(submission)
    assert isinstance(outcome, Accepted), outcome
    return outcome.job


def check_call(request: httpx.Request, wanted: dict[str, Any], adapter: Adapter) -> None:
    """Assert that what went over the wire is the call that was recorded."""
    base = adapter.base_url.rstrip("/")
    assert request.method == wanted["method"]
    address = str(request.url.copy_with(query=None))
    assert address == wanted.get("url", f"{base}{wanted.get('path')}")
    assert dict(request.url.params) == wanted.get("query", {})
    for name, value in wanted.get("headers", {}).items():
        assert request.headers[name] == value
    if "json" in wanted:
        assert json.loads(request.content) == wanted["json"]
    if "form" in wanted:
        assert form_of(request) == wanted["form"]


def form_of(request: httpx.Request) -> dict[str, Any]:
    """Return the parts of a multipart body: plain values, and files by name and type."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.content)
    assert message.get_content_type() == "multipart/form-data"
    found: dict[str, Any] = {}
    for part in message.get_payload():
        assert not isinstance(part, str)
        name = str(part.get_param("name", header="content-disposition"))
        filename = part.get_filename()
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        file = {"filename": filename, "media_type": part.get_content_type()}
        found[name] = file if filename else payload.decode()
    return found


def mutations(body: object) -> Iterator[object]:
    """Yield `body` with each of its parts replaced by nothing, and by things of the wrong kind."""
    yield from (None, "?", [], {}, -1, True)
    if isinstance(body, dict):
        for key, value in body.items():
            for changed in mutations(value):
                yield {**body, key: changed}
            yield {name: other for name, other in body.items() if name != key}
    elif isinstance(body, list):
        for index, value in enumerate(body):
            for changed in mutations(value):
                yield [*body[:index], changed, *body[index + 1 :]]


def with_word(body: object, word: str) -> object:
    """Return `body` with every status word in it replaced by `word`."""
    if isinstance(body, dict):
        return {
            key: word
            if key in {"status", "state", "task_status"} and isinstance(value, str)
            else with_word(value, word)
            for key, value in body.items()
        }
    return [with_word(item, word) for item in body] if isinstance(body, list) else body


def reworded(reply: dict[str, Any], word: str) -> dict[str, Any]:
    """Return a recorded reply with every status word replaced."""
    return {**reply, "body": with_word(reply.get("body"), word)}
