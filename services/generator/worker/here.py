"""Local models on the devices of this machine, in a process that this generator starts."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from services.common.telemetry import get_logger
from services.generator.domain.catalogue import Catalogue, Standing, Surroundings
from services.generator.domain.models import Model, PriceKind
from services.generator.domain.modes import in_mode
from services.generator.domain.ports import Backend
from services.generator.domain.vendor_keys import OwnKeys
from services.generator.domain.vram import Mode, mode_of
from services.generator.engines.local.engine import LocalEngine
from services.generator.engines.local.installed import PROVIDER, local_models, sources
from services.generator.engines.local.process import ModelProcess
from services.generator.settings import Settings
from services.generator.worker.local import LocalBackend

_AT_ONCE = 8
"""Orders that the process is given; it has them wait for memory and for their model itself."""

Around: TypeAlias = Callable[[OwnKeys], Surroundings]
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Here:
    """What this machine does itself: back ends by provider, and how its models stand.

    `mode` None is a machine on which no model is installed.
    """

    backends: Mapping[str, Backend] = field(default_factory=dict)
    standings: Mapping[str, Standing] = field(default_factory=dict)
    mode: Mode | None = None

    def beside(self, around: Around) -> Around:
        """Return `around` with how the models of this machine stand."""
        if self.mode is None:
            return around
        return lambda own: replace(around(own), here=self.standings)

    def listed(self, catalogue: Catalogue) -> Catalogue:
        """Return the catalogue in this machine's mode; what no card makes costs nothing here."""
        if self.mode is None:
            return catalogue
        if self.mode is Mode.CPU:
            catalogue = Catalogue(_free(model) for model in catalogue)
        return in_mode(catalogue, self.mode)


async def models_here(settings: Settings, stack: AsyncExitStack) -> Here:
    """Start the process of the models that are installed, and look which of them can run.

    Raises Unavailable when it does not start, InvalidArgument for a mode that the cards are too
    small for.
    """
    found = sources(settings.checkpoints, settings.models)
    if settings.local != "embedded" or not found:
        return Here()
    from services.generator.engines.local.survey import survey  # noqa: PLC0415 - heavy: NumPy, PyAV

    process = ModelProcess(loras=settings.local_loras)
    stack.push_async_callback(process.close)
    hello = await process.start()
    mode = mode_of((hello.device,), settings.local_mode)
    standings = survey(local_models(), found, hello.device, hello.budget)
    for name in found:
        log.info("local model", model=name, standing=standings[name].availability, mode=mode)
    engine = LocalEngine(process, found)
    backend = LocalBackend(engine, settings.scratch, limit=_AT_ONCE, gpu_rate=settings.gpu_rate)
    return Here({PROVIDER: backend}, standings, mode)


def _free(model: Model) -> Model:
    if not model.needs_device or model.price.kind is not PriceKind.PER_GPU_HOUR:
        return model
    price = replace(model.price, kind=PriceKind.FREE, tiers=(), source="runs on the processor")
    return replace(model, price=price)
