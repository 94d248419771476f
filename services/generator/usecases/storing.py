"""Brings a result into storage and says what is known of it and what it cost."""

from collections.abc import Callable
from dataclasses import replace

from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_before_delay,
    wait_exponential,
)

from services.common.errors import DataLoss, Moderated, ServiceError
from services.generator.domain.anomaly import outlandish
from services.generator.domain.facts import NOTHING, Cost, Output
from services.generator.domain.models import ChargesOnModeration, Lifecycle, Model
from services.generator.domain.ports import Content, Entry, Made
from services.generator.domain.pricing import estimate_micros
from services.generator.domain.sentences import Said, said
from services.generator.domain.storage_port import AssetStorage, Stored

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0


class Storing:
    """Uploads results. Storage keeps one asset per generation however often it is asked.

    A finished clip was paid for: while storage or the vendor's file server is away or asks for
    rest, or a disk of ours is full, it is fetched and tried again for `patience` seconds.
    """

    def __init__(
        self, storage: AssetStorage, model: Callable[[str], Model], *, patience: float = 900.0
    ) -> None:
        self._storage = storage
        self._model = model
        self.patience = patience

    async def store(self, entry: Entry, made: Made) -> Stored:
        """Return the asset.

        Raises DataLoss for damaged bytes, Unavailable and the like when patience ends.
        """
        again = AsyncRetrying(
            retry=retry_if_exception(_passing),
            wait=wait_exponential(multiplier=_FIRST_WAIT_SECONDS, max=_LONGEST_WAIT_SECONDS),
            stop=stop_before_delay(self.patience),
            reraise=True,
        )
        return await again(self._once, entry, made)

    def cost(self, entry: Entry, made: Made) -> Cost | None:
        """Return what the vendor reported, else what the catalogue says, None when nobody knows.

        What the vendor reports and cannot be true is left to its bill.
        """
        if made.cost is None or self.alarm(entry, made):
            return self.assumed(entry)
        return made.cost

    def alarm(self, entry: Entry, made: Made) -> str:
        """Return why what the vendor reports cannot be true, "" when it may be."""
        expected = self.assumed(entry)
        told = made.cost.micros if made.cost else 0
        if not outlandish(told, expected.micros if expected else None):
            return ""
        price = "unknown" if expected is None else f"{expected.micros} micro-USD"
        name = entry.generation.name
        return said(Said.PRICE_OUT_OF_LINE, told=told, generation=name, price=price)

    def assumed(self, entry: Entry) -> Cost | None:
        """Return the catalogue's price, for work that was begun and of which no vendor speaks."""
        order = entry.order
        micros = estimate_micros(self._model(entry.generation.model), order.task, order.together)
        if micros is None:
            return None
        return Cost(micros=micros, source="catalogue" if micros else "free")

    def free(self, entry: Entry) -> Cost | None:
        """Return the catalogue's price where it is nothing; None for what costs, or may."""
        price = self.assumed(entry)
        return price if price is not None and not price.micros else None

    def refused(self, entry: Entry, error: ServiceError) -> Cost | None:
        """Return what a call costs that was turned away: nothing, None where that may be untrue.

        Some vendors charge for what they moderate, and few of them say so.
        """
        terms = self._model(entry.generation.model).charges_on_moderation
        if isinstance(error, Moderated) and terms is not ChargesOnModeration.NO:
            return self.free(entry)
        return NOTHING

    async def _once(self, entry: Entry, made: Made) -> Stored:
        if made.asset:
            found = await self._storage.look(entry, made.asset)
            return replace(found, output=_completed(found.output, made, entry))
        try:
            async with made.opened() as content:
                stored = await self._storage.upload(entry, self._told(entry, made, content))
        except DataLoss as error:  # what it delivered is no whole clip
            error.metadata.setdefault("provider", entry.generation.identity.provider)
            raise
        if content.sha256 and stored.output.sha256 != content.sha256:
            message = "storage holds other bytes than were made"
            raise DataLoss(message, metadata={"asset": stored.asset})
        return replace(stored, output=_completed(stored.output, made, entry))

    def _told(self, entry: Entry, made: Made, content: Content) -> Content:
        cost, model = self.cost(entry, made), self._model(entry.generation.model)
        return replace(
            content,
            cost_micros=cost.micros if cost else 0,
            untrained=not model.trained,
            shown_outside=model.lifecycle is not Lifecycle.SELF_HOSTED,
        )


def _passing(error: BaseException) -> bool:
    return isinstance(error, ServiceError) and error.retryable


def _completed(output: Output, made: Made, entry: Entry) -> Output:
    """Fill in what storage could not measure from what the maker says."""
    seed = made.seed if made.seed is not None else getattr(entry.order.task, "seed", None)
    return replace(
        output,
        width=output.width or made.width,
        height=output.height or made.height,
        fps=output.fps or made.fps,
        duration_seconds=output.duration_seconds or made.duration_seconds,
        seed=seed,
        words=made.words,
        quality=made.quality,
        method=made.method,
    )
