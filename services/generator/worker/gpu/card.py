"""The models that are installed on this machine, on one of its devices."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from services.common.errors import FailedPrecondition, Unavailable
from services.common.telemetry import get_logger
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.facts import Identity
from services.generator.domain.gpu_work import Tier, tier_of_card
from services.generator.domain.models import Model
from services.generator.domain.orders import Order
from services.generator.domain.ports import Work
from services.generator.domain.storage_port import AssetStorage
from services.generator.domain.tasks import (
    ImageTask,
    Json,
    MusicTask,
    Operation,
    SoundTask,
    SpeechTask,
    Task,
    VideoTask,
)
from services.generator.domain.vram import Device
from services.generator.engines.local.engine import LocalEngine
from services.generator.engines.local.installed import sources
from services.generator.engines.local.probe import Source
from services.generator.engines.local.process import ModelProcess
from services.generator.worker.gpu.equipment import Memory
from services.generator.worker.gpu.settings import WorkerSettings

_WORDS = "a stone on a beach"
_SHORT: Mapping[str, Json] = {"local": {"steps": 2}}  # some schedules do not know a single step
_TASKS: Mapping[Operation, Task] = {
    Operation.VIDEO: VideoTask(prompt=_WORDS, duration_seconds=1, options=_SHORT),
    Operation.IMAGE: ImageTask(prompt=_WORDS, options=_SHORT),
    Operation.MUSIC: MusicTask(prompt=_WORDS, duration_seconds=1, options=_SHORT),
    Operation.SOUND: SoundTask(prompt=_WORDS, duration_seconds=1, options=_SHORT),
    Operation.SPEECH: SpeechTask(text="One."),
}

log = get_logger(__name__)


class Card:
    """`Equipment` on a device of this machine; `found` are the checkpoints by model id."""

    def __init__(
        self,
        process: ModelProcess,
        device: Device,
        found: Mapping[str, Source],
        settings: WorkerSettings,
        storage: AssetStorage | None = None,
    ) -> None:
        self.engine = LocalEngine(process, found, storage)
        self.models = tuple(found)
        self.device = device.name
        self.tier: Tier = settings.tier or tier_of_card(device)
        self._process = process
        self._found = found
        self._settings = settings
        self._memory = Memory(total=device.total_bytes)
        self._loaded: tuple[str, ...] = ()

    @property
    def loaded(self) -> Sequence[str]:
        """Ids of the models that lay in the device's memory when it was looked at last."""
        return self._loaded

    def memory(self) -> Memory:
        """Return what was taken when it was looked at last."""
        return self._memory

    async def look(self) -> None:
        """Ask the process what is loaded; one that has died says nothing."""
        try:
            state = await self._process.state()
        except Unavailable:
            self._loaded, self._memory = (), Memory(total=self._memory.total)
            return
        there = set(state["loaded"])
        self._loaded = tuple(name for name, each in self._found.items() if each.key in there)
        self._memory = Memory(used=state["used"], total=state["total"])

    async def warm_up(self) -> None:
        """Start the process, and run every model that is to be preloaded once."""
        await self._process.start()
        self._settings.scratch.mkdir(parents=True, exist_ok=True)
        catalogue = load_catalogue()
        for name in self._settings.preload:
            model = catalogue.get(name)
            await self._try(model)
            log.info("warmed_up", model=model.id)

    async def _try(self, model: Model) -> None:
        work = trial_of(model)
        path = self._settings.scratch / f"warm-up-{model.id}{self.engine.suffix(work)}"
        try:
            await self.engine.make(work, path, on_progress=lambda _fraction: None)
        finally:
            path.unlink(missing_ok=True)


def trial_of(model: Model) -> Work:
    """Return the smallest piece of work that runs every part of a model."""
    task = _TASKS.get(model.operation)
    if task is None:
        message = f"{model.id} cannot be preloaded: nothing is known to try it with"
        raise FailedPrecondition(message)
    if isinstance(task, VideoTask):
        slow = model.fps_range[0] if model.fps_range else None
        task = replace(task, fps=slow, resolution=(*model.resolutions, "")[0])
    name = f"warm-up-{model.id}"
    return Work(
        id=name,
        tenant="",
        model=model,
        identity=Identity(provider=model.provider),
        task=task,
        order=Order(request_id=name, request_hash=name, model=model.id, task=task),
    )


@asynccontextmanager
async def opened(
    settings: WorkerSettings, storage: AssetStorage | None = None
) -> AsyncIterator[Card]:
    """Give the equipment of this machine while the block runs; its process ends with it.

    Raises FailedPrecondition where nothing is installed, InvalidArgument for a bad path.
    """
    found = sources(settings.checkpoints, settings.models, offline=settings.offline)
    if not found:
        message = (
            "no model is installed: `reelmesh models pull MODEL`, or say where one lies by "
            "LOCAL_<MODEL>_PATH"
        )
        raise FailedPrecondition(message)
    process = ModelProcess(settings.device)
    try:
        yield Card(process, (await process.start()).device, found, settings, storage)
    finally:
        await process.close()
