"""RunPod serverless: the same card behind a handler that RunPod calls with a job.

A job is ``{"id": …, "input": {…}}``; the input has the fields of the catalogue's model
`runpod_serverless`. The answer holds ``video_url``, or ``error`` with a reason of ours, which
RunPod shows as a failed job; a machine that failed asks to be refreshed.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import httpx

from services.common.errors import InvalidArgument, ServiceError, Unavailable
from services.common.fetching import fetching_client
from services.common.pace import Pace
from services.common.packing import packed
from services.common.url_policy import UrlPolicy, open_url
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.facts import Identity
from services.generator.domain.media import Media
from services.generator.domain.models import Model
from services.generator.domain.orders import Order
from services.generator.domain.ports import Work
from services.generator.domain.tasks import VideoTask
from services.generator.worker.gpu.equipment import Equipment
from services.generator.worker.gpu.running import Opened, emptied
from services.generator.worker.gpu.settings import WorkerSettings

PROVIDER_MODEL = "runpod_serverless"
_LARGEST_PICTURE = 64 * 1024 * 1024
_TIMEOUT = httpx.Timeout(30.0)
_AS_IT_IS = {"accept-encoding": "identity"}
_MACHINE = frozenset({"INTERNAL", "UNAVAILABLE", "RESOURCE_EXHAUSTED"})

Job = Mapping[str, Any]
Tell = Callable[[Job, str], None]


class Bucket(Protocol):
    """Where results go."""

    async def put(self, path: Path, content_type: str) -> str:
        """Upload a file and return an address that gives it for a while."""


class Handler:
    """Carries out RunPod's jobs one at a time; the card is opened with the first of them."""

    def __init__(
        self,
        settings: WorkerSettings,
        opened: Opened,
        bucket: Bucket,
        *,
        tell: Tell = lambda _job, _words: None,
        policy: UrlPolicy | None = None,
    ) -> None:
        self._settings = settings
        self._opened = opened
        self._bucket = bucket
        self._tell = tell
        self._policy = policy or UrlPolicy()
        self._stack = AsyncExitStack()
        self._card: Equipment | None = None
        self._turn = asyncio.Lock()

    async def __call__(self, job: Job) -> dict[str, Any]:
        """Return RunPod's answer to a job; nothing is raised."""
        try:
            async with self._turn:
                return await self._made(job)
        except ServiceError as error:
            ill = error.reason in _MACHINE
            return _failed(error.reason, error.message, refresh=ill)
        except Exception as error:
            return _failed("INTERNAL", f"{type(error).__name__}: {error}", refresh=True)

    async def close(self) -> None:
        """Let go of the card."""
        await self._stack.aclose()

    async def _made(self, job: Job) -> dict[str, Any]:
        card = await self._ready()
        model = self._model(card)
        given = job.get("input")
        if not isinstance(given, Mapping):
            raise InvalidArgument("input", "must be an object")
        work = _work(str(job["id"]), model, await self._task(given))
        path = self._settings.scratch / f"{work.id}{card.engine.suffix(work)}"
        try:
            product = await card.engine.make(
                work, path, on_progress=lambda part: self._tell(job, f"{int(part * 100)}%")
            )
            url = await self._bucket.put(path, product.content_type)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        return {
            "video_url": url,
            "sha256": product.sha256,
            "width": product.width,
            "height": product.height,
            "fps": product.fps,
            "duration_seconds": product.duration_seconds,
            "seed": product.seed,
            "warnings": list(product.warnings),
            "method": product.method,
            "gpu_seconds": product.gpu_seconds,
            "load_seconds": product.load_seconds,
        }

    async def _ready(self) -> Equipment:
        """Open the card once; one that does not warm up is let go, or its memory would be held."""
        if self._card is None:
            await asyncio.to_thread(emptied, self._settings.scratch)
            async with AsyncExitStack() as stack:
                card = await stack.enter_async_context(self._opened(self._settings, None))
                await card.warm_up()
                self._stack = stack.pop_all()
            self._card = card
        return self._card

    def _model(self, card: Equipment) -> Model:
        """Return the model that is served: the one that is named, else the first installed."""
        names = self._settings.engines or tuple(card.models)
        if names[0] not in card.models:
            raise InvalidArgument("engines", f"{names[0]} is not installed", allowed=card.models)
        return load_catalogue().get(names[0])

    async def _task(self, given: Mapping[str, Any]) -> VideoTask:
        fields = _fields()
        unknown = sorted(given.keys() - fields.keys() - {"local"})
        if unknown:
            raise InvalidArgument(f"input.{unknown[0]}", "is unknown", allowed=sorted(fields))
        values = {fields[name]: value for name, value in given.items() if name in fields}
        for name in ("image", "last_image"):
            if name in values:
                values[name] = await self._picture(name, values[name])
        local = given.get("local")
        try:
            return VideoTask(**values, options={"local": local} if local else {})
        except TypeError as error:
            raise InvalidArgument("input", f"has a value of another type: {error}") from error

    async def _picture(self, name: str, text: Any) -> Media:
        if not isinstance(text, str):
            raise InvalidArgument(f"input.{name}", "must be an address or a data URI")
        if text.startswith("data:"):
            return _inline(name, text)
        async with (
            fetching_client(timeout=_TIMEOUT) as client,
            open_url(client, text, self._policy, headers=_AS_IT_IS) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise Unavailable(f"input.{name}: {answer.status_code} from its address")
            if kind := packed(answer.headers):
                raise InvalidArgument(f"input.{name}", f"comes packed ({kind}) from its address")
            data = bytearray()
            async for chunk in Pace().keep(answer.aiter_raw()):
                data += chunk
                if len(data) > _LARGEST_PICTURE:
                    raise InvalidArgument(f"input.{name}", "has more than 64 MiB")
            kind = answer.headers.get("content-type", "image/png").partition(";")[0]
        return Media(data=bytes(data), media_type=kind)


def _fields() -> dict[str, str]:
    """Return the input's names with those of the task: what our own adapter sends."""
    wire: Any = load_catalogue().get(PROVIDER_MODEL).wire["fields"]
    return {
        spelled: "duration_seconds" if ours == "duration" else ours
        for ours, spelled in wire.items()
    }


def _inline(name: str, text: str) -> Media:
    head, _, body = text.partition(",")
    try:
        data = base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise InvalidArgument(f"input.{name}", "is no base64") from error
    return Media(data=data, media_type=head.removeprefix("data:").partition(";")[0] or "image/png")


def _work(identifier: str, model: Model, task: VideoTask) -> Work:
    name = "".join(letter for letter in identifier if letter.isalnum() or letter in "-_")
    return Work(
        id=name,
        tenant="",
        model=model,
        identity=Identity(provider=model.provider),
        task=task,
        order=Order(request_id=name, request_hash=name, model=model.id, task=task),
    )


def _failed(reason: str, message: str, *, refresh: bool) -> dict[str, Any]:
    failed: dict[str, Any] = {"error": f"{reason}: {message}"}
    return {**failed, "refresh_worker": True} if refresh else failed
