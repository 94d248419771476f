"""Local models as the generator asks for them: a task in, a finished file out."""

import asyncio
import base64
import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from services.common.errors import FailedPrecondition, InvalidArgument, NoDevice
from services.common.telemetry import get_logger
from services.generator.domain.limits import Fit
from services.generator.domain.media import Media
from services.generator.domain.models import Model, Need
from services.generator.domain.orders import asset_media
from services.generator.domain.ports import Work
from services.generator.domain.records import from_record, to_record
from services.generator.domain.storage_port import AssetStorage
from services.generator.domain.tasks import Operation, SpeechTask, Task
from services.generator.domain.voices import sample_of
from services.generator.engines.bringing import bring
from services.generator.engines.engine import Product
from services.generator.engines.local.asks import Ask, ask_of, least_shape
from services.generator.engines.local.installed import variable_of
from services.generator.engines.local.made import Made
from services.generator.engines.local.probe import Source
from services.generator.engines.local.process import ModelProcess

_log = get_logger(__name__)

_KINDS = {
    Operation.VIDEO: (".mp4", "video/mp4"),
    Operation.IMAGE: (".png", "image/png"),
    Operation.UPSCALE: (".mp4", "video/mp4"),
}
_SOUND = (".flac", "audio/flac")
_MEDIA = ("image", "last_image", "media", "melody")
_TRIAL_WORDS, _TRIAL_STEPS = "a stone on a beach", 2  # some schedules do not know a single step
_TRIAL_PICTURE = base64.b64decode(  # one grey pixel, as PNG
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
_UNTRIED = frozenset({Operation.UPSCALE, Operation.CAPTIONS})


class LocalEngine:
    """Runs the checkpoints in `sources` (by the model's id) in a process of their own."""

    def __init__(
        self,
        process: ModelProcess,
        sources: Mapping[str, Source],
        storage: AssetStorage | None = None,
        *,
        on_use: Callable[[str], None] = lambda _model: None,
    ) -> None:
        """Without `storage` a task brings everything along; `on_use` is told of a model in use."""
        self._storage = storage
        self._process = process
        self._sources = sources
        self._on_use = on_use

    def suffix(self, work: Work) -> str:
        """Return the file name suffix of what it will make."""
        return _KINDS.get(work.model.operation, _SOUND)[0]

    async def make(
        self, work: Work, destination: Path, *, on_progress: Callable[[float], None]
    ) -> Product:
        """Make the file; see `Engine.make`. Raises NoDevice where the model is not installed."""
        source = self._source(work.model)
        hello = await self._process.start()
        folder = destination.with_suffix(".work")
        try:
            files = await self._files(work, folder)
            ask = ask_of(
                work.task,
                source,
                work.id,
                files=files,
                may_shorten=work.order.fit is Fit.NEAREST,
            )
            made_at = folder / f"made{destination.suffix}"
            done = await self._process.make(work.id, to_record(ask), str(made_at), on_progress)
            await asyncio.to_thread(made_at.replace, destination)
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
        digest, size = await asyncio.to_thread(_measure, destination)
        await asyncio.to_thread(self._count, work.model.id)
        made = from_record(Made, done)
        on_gpu = hello.device.kind == "cuda"
        return Product(
            content_type=_content_type(work.model.operation, made),
            sha256=digest,
            size_bytes=size,
            width=made.shape.width,
            height=made.shape.height,
            fps=made.shape.fps,
            duration_seconds=made.seconds,
            seed=ask.seed,
            warnings=made.warnings,
            method=made.method,
            gpu_seconds=made.busy_seconds if on_gpu else 0.0,
            load_seconds=made.load_seconds if on_gpu else 0.0,
            served=made.served,
            words=made.words,
        )

    async def warm_up(self, model: Model, folder: Path) -> None:
        """Load a model and run it once at its smallest, so that the first request finds it warm.

        Raises what `make` raises, and FailedPrecondition for a model that works on a recording.
        """
        if model.operation in _UNTRIED or model.clones_voice:
            message = f"{model.id} cannot be preloaded: nothing is known to try it with"
            raise FailedPrecondition(message)
        name = f"warm-up-{model.id}"
        ask = Ask(
            identifier=name,
            operation=model.operation,
            source=self._source(model),
            shape=least_shape(model),
            prompt=_TRIAL_WORDS,
            seed=0,
            options={"steps": _TRIAL_STEPS},
        )
        trial = folder / name
        path = trial / f"made{_KINDS.get(model.operation, _SOUND)[0]}"
        await asyncio.to_thread(trial.mkdir, parents=True, exist_ok=True)
        try:
            if model.inputs.image is Need.REQUIRED:
                picture = trial / "image"
                await asyncio.to_thread(picture.write_bytes, _TRIAL_PICTURE)
                ask = replace(ask, files={"image": str(picture)})
            await self._process.make(name, to_record(ask), str(path), lambda _fraction: None)
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, trial, ignore_errors=True))

    def _count(self, model: str) -> None:
        """Tell of a use; what is made is not lost with a counter that cannot be written."""
        try:
            self._on_use(model)
        except OSError as error:
            _log.warning("use not counted", model=model, why=str(error))

    def _source(self, model: Model) -> Source:
        """Return its checkpoint. Raises NoDevice; InvalidArgument for what only serves others."""
        source = self._sources.get(model.id)
        if source is None:
            variable = variable_of(model)
            raise NoDevice(f"{model.id} is not installed: set {variable} to its checkpoint")
        if model.operation is Operation.CAPTIONS:
            raise InvalidArgument("model", f"{model.id} hears words: name `captions` to set them")
        if model.operation is Operation.CHECK:
            raise InvalidArgument("model", f"{model.id} looks at films as they are cut")
        return source

    async def _files(self, work: Work, folder: Path) -> dict[str, str]:
        """Bring what the task refers to into files; returns them by name."""
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        found: dict[str, str] = {}
        for name, media in _referred(work.task).items():
            path = folder / name
            if media.data:
                await asyncio.to_thread(path.write_bytes, media.data)
            elif self._storage is not None:
                await bring(self._storage, work, name, media, path)
            else:
                raise InvalidArgument(name, "must come along as bytes")
            found[name] = str(path)
        return found


def _referred(task: Task) -> dict[str, Media]:
    """Return what a task refers to, by name."""
    found = {name: getattr(task, name, None) for name in _MEDIA}
    if isinstance(task, SpeechTask) and (sample := sample_of(task)):
        found["voice"] = asset_media(sample)
    return {name: media for name, media in found.items() if isinstance(media, Media)}


def _content_type(operation: Operation, made: Made) -> str:
    """Return what was made: a picture is enlarged to a picture, a clip to a clip."""
    if operation is Operation.UPSCALE and not made.shape.fps:
        operation = Operation.IMAGE
    return _KINDS.get(operation, _SOUND)[1]


def _measure(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
