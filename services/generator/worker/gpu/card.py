"""The models that are installed on this machine, on one of its devices."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from services.common.errors import FailedPrecondition, Unavailable
from services.common.telemetry import get_logger
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.gpu_work import Tier, tier_of_card
from services.generator.domain.storage_port import AssetStorage
from services.generator.domain.vram import Device
from services.generator.engines.local.engine import LocalEngine
from services.generator.engines.local.installed import sources
from services.generator.engines.local.popularity import Popularity
from services.generator.engines.local.probe import Source
from services.generator.engines.local.process import MODULE, ModelProcess
from services.generator.worker.gpu.equipment import Memory
from services.generator.worker.gpu.settings import WorkerSettings

_FAVOURITES = 2

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
        self._popularity = Popularity(settings.popularity)
        self.engine = LocalEngine(process, found, storage, on_use=self._popularity.used)
        self.models = tuple(found)
        self.device = device.name
        self.tier: Tier = settings.tier or tier_of_card(device)
        self._process = process
        self._found = found
        self._settings = settings
        self._memory = Memory(total=device.total_bytes)
        self._loaded: tuple[str, ...] = ()
        self._following: asyncio.Task[None] | None = None

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
        """Start the process, and run every model that is to be preloaded once.

        Those that were asked for most follow by themselves, as far as they can: nobody relies on
        them, and a worker is ready without them.
        """
        await self._process.start()
        preload = self._settings.preload
        await self._warm(preload)
        favourites = self._popularity.favourites(self._found.keys() - {*preload}, _FAVOURITES)
        if favourites and (self._following is None or self._following.done()):
            following = self._warm_favourites(favourites)
            self._following = asyncio.create_task(following, name="popular models")

    def leave(self) -> None:
        """Begin nothing more by itself."""
        if self._following is not None:
            self._following.cancel()

    async def left(self) -> None:
        """Wait until what was begun by itself has ended."""
        if self._following is not None:
            await asyncio.gather(self._following, return_exceptions=True)

    async def _warm(self, models: Sequence[str]) -> None:
        catalogue = load_catalogue()
        for name in models:
            await self.engine.warm_up(catalogue.get(name), self._settings.scratch)
            log.info("warmed_up", model=name)

    async def _warm_favourites(self, models: Sequence[str]) -> None:
        for name in models:
            try:
                await self._warm((name,))
            except Unavailable as error:  # it has ended the process, and what was preloaded with it
                log.warning("not_warmed_up", model=name, why=error.message)
                break
            except Exception as error:
                log.warning("not_warmed_up", model=name, why=str(error))
        else:
            return
        try:
            await self._warm(self._settings.preload)
        except Exception as error:
            log.error("not_warmed_up_again", why=str(error))


@asynccontextmanager
async def opened(
    settings: WorkerSettings, storage: AssetStorage | None = None, *, module: str = MODULE
) -> AsyncIterator[Card]:
    """Give the equipment of this machine while the block runs; its process ends with it.

    Raises FailedPrecondition where nothing is installed or the device is not there,
    InvalidArgument for a bad path, Unavailable where the process does not start.
    """
    found = sources(settings.checkpoints, settings.models, offline=settings.offline)
    if not found:
        message = (
            "no model is installed: `reelmesh models pull MODEL`, or say where one lies by "
            "LOCAL_<MODEL>_PATH"
        )
        raise FailedPrecondition(message)
    pinned = [found[name].key for name in settings.preload if name in found]
    process = ModelProcess(settings.device, loras=settings.loras, pinned=pinned, module=module)
    try:
        device = (await process.start()).device
        if device.kind == "cuda" and device.index != settings.device:
            message = f"there is no GPU {settings.device} here, the last is {device.index}"
            raise FailedPrecondition(f"{message} (GPU_WORKER_DEVICE)")
        card = Card(process, device, found, settings, storage)
        try:
            yield card
        finally:
            card.leave()  # before the process ends, or it would be started for them once more
            await process.close()
            await card.left()
    finally:
        await process.close()
