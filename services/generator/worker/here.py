"""Local models on the devices of this machine, in a process that this generator starts."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from services.common.errors import InvalidArgument, ServiceError, Unavailable
from services.common.telemetry import get_logger
from services.generator.domain.catalogue import Availability, Catalogue, Standing, Surroundings
from services.generator.domain.models import Model, PriceKind
from services.generator.domain.modes import in_mode
from services.generator.domain.ports import Backend
from services.generator.domain.storage_port import AssetStorage
from services.generator.domain.vendor_keys import OwnKeys
from services.generator.domain.vram import Mode, mode_of
from services.generator.engines.local.engine import LocalEngine
from services.generator.engines.local.hearing import HEARING, Hearing
from services.generator.engines.local.installed import PROVIDER, local_models, sources
from services.generator.engines.local.popularity import Popularity
from services.generator.engines.local.process import MODULE, ModelProcess
from services.generator.engines.local.seeing import SEEING, Seeing
from services.generator.settings import Settings
from services.generator.worker.local import LocalBackend

_FAVOURITES = 2
"""Popular models that are loaded ahead; more would only push each other out."""
_AT_ONCE = 8
"""Orders that the process is given; it has them wait for memory and for their model itself."""

Around: TypeAlias = Callable[[OwnKeys], Surroundings]
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Here:
    """What this machine does itself: back ends by provider, and how its models stand.

    `mode` None is a machine on which none can run.
    """

    backends: Mapping[str, Backend] = field(default_factory=dict)
    standings: Mapping[str, Standing] = field(default_factory=dict)
    mode: Mode | None = None
    hearing: Hearing | None = None
    seeing: Seeing | None = None

    def beside(self, around: Around) -> Around:
        """Return `around` with how the models of this machine stand."""
        if not self.standings:
            return around
        return lambda own: replace(around(own), here=self.standings)

    def listed(self, catalogue: Catalogue) -> Catalogue:
        """Return the catalogue in this machine's mode; what no card makes costs nothing here."""
        if self.mode is None:
            return catalogue
        if self.mode is Mode.CPU:
            catalogue = Catalogue(_free(model) for model in catalogue)
        return in_mode(catalogue, self.mode)


async def models_here(
    settings: Settings, storage: AssetStorage, stack: AsyncExitStack, *, module: str = MODULE
) -> Here:
    """Start the process of the models that are installed, and look which of them can run.

    Those that are to be preloaded are warm when it returns, the most popular ones soon after.

    Without the libraries that run them they count as not installed.

    Raises InvalidArgument for a mode that the cards are too small for, or a model to preload that
    cannot run here.
    """
    found = sources(settings.checkpoints, settings.models)
    if settings.local != "embedded" or not found:
        return Here()
    from services.generator.engines.local.survey import survey  # noqa: PLC0415 - heavy: NumPy, PyAV

    pinned = [found[name].key for name in settings.local_preload if name in found]
    process = ModelProcess(loras=settings.local_loras, pinned=pinned, module=module)
    stack.push_async_callback(process.close)
    try:
        hello = await process.start()
    except Unavailable as error:
        # Vendors and the placeholder go on without local models.
        log.warning("no local models", why=error.message)
        lacking = "the libraries that run it are not installed here (extra generator-gpu)"
        return Here(standings={name: _not_installed(name, lacking) for name in found})
    mode = mode_of((hello.device,), settings.local_mode)
    standings = survey(local_models(), found, hello.device, hello.budget)
    for name in found:
        log.info("local model", model=name, standing=standings[name].availability, mode=mode)
    popularity = Popularity(settings.data_dir / "popular_models.json")
    engine = LocalEngine(process, found, storage, on_use=popularity.used)
    await _warmed(engine, settings, standings, popularity, stack)
    rate = settings.gpu_rate
    backend = LocalBackend(engine, settings.scratch, limit=_AT_ONCE, gpu_rate=rate)
    hearing = Hearing(process, found[HEARING]) if HEARING in found else None
    seeing = Seeing(process, found[SEEING]) if SEEING in found else None
    return Here({PROVIDER: backend}, standings, mode, hearing, seeing)


def _not_installed(model: str, reason: str) -> Standing:
    return Standing(Availability.NOT_INSTALLED, f"{model}: {reason}")


async def _warmed(
    engine: LocalEngine,
    settings: Settings,
    standings: Mapping[str, Standing],
    popularity: Popularity,
    stack: AsyncExitStack,
) -> None:
    ready = {
        model.id: model
        for model in local_models()
        if standings[model.id].availability is Availability.READY
    }
    missing = [name for name in settings.local_preload if name not in ready]
    if missing:
        allowed = sorted(ready) or ("none",)
        message = f"{', '.join(missing)} cannot run here"
        raise InvalidArgument("GENERATOR_LOCAL_PRELOAD", message, allowed=allowed)
    for name in settings.local_preload:
        await engine.warm_up(ready[name], settings.scratch)
    favourites = popularity.favourites(ready.keys() - {*settings.local_preload}, _FAVOURITES)

    async def warm() -> None:
        for name in favourites:
            try:
                await engine.warm_up(ready[name], settings.scratch)
            except ServiceError as error:
                log.warning("not warmed up", model=name, why=error.message)

    if favourites:
        task = asyncio.create_task(warm(), name="popular models")
        stack.push_async_callback(_ended, task)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _free(model: Model) -> Model:
    if not model.needs_device or model.price.kind is not PriceKind.PER_GPU_HOUR:
        return model
    price = replace(model.price, kind=PriceKind.FREE, tiers=(), source="runs on the processor")
    return replace(model, price=price)
