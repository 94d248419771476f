"""Something to look at while a film is made: the clips that are there, cut plainly."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from services.common.telemetry import get_logger
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.ports import FilmStore, WorkPort
from services.orchestrator.domain.films.tasks import Piece
from services.orchestrator.domain.films.works import ComposeWork, CutClip, WorkOrder, WorkView
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.ports import ModelsPort

_log = get_logger(__name__)

Preview: TypeAlias = Callable[[str], Awaitable[None]]
"""Look whether a film, by its id, has something new to look at. Raises nothing."""


@dataclass(frozen=True, kw_only=True)
class MakePreview:
    """The growing preview: the first clip, and from two on a cut, each twice as long as the last.

    It is copied, not encoded, costs nothing, and a film is never held up by it for long: whatever
    goes wrong, the one before stays.
    """

    films: FilmStore
    works: WorkPort
    models: ModelsPort
    now: Callable[[], datetime]
    patience: timedelta = timedelta(minutes=1)

    async def __call__(self, film_id: str) -> None:
        """See `Preview`."""
        try:
            await self._grow(await self.films.read(film_id))
        except Exception as error:
            _log.info("preview_missing", film=film_id, error=repr(error))

    async def _grow(self, film: Film) -> None:
        found = [film.clip_of(shot.shot_id) for shot in film.shots]
        clips = [clip for clip in found if clip is not None]
        due = max(2, 2 * film.rough_clips)
        if film.cuts or not due <= len(clips) < len(film.shots):
            return
        model = next((m for m in await self.models.models(film.tenant) if _free_cutter(m)), None)
        if model is not None:
            await self._keep(film.id, await self._cut(film, clips, model), len(clips))

    async def _cut(self, film: Film, clips: Sequence[Piece], model: Model) -> Piece | None:
        assets = "".join(clip.asset for clip in clips)
        part = hashlib.sha256(assets.encode()).hexdigest()[:12]
        order = WorkOrder(
            request_id=f"{film.id}/preview/{film.run}.{part}",
            tenant=film.tenant,
            model=model.id,
            work=ComposeWork(clips=tuple(CutClip(asset=c.asset) for c in clips), rough=True),
            film=film.name,
            creative_id=film.creative_id,
            max_price_micros=0,
            labels={"film": film.id, "task": "preview"},
        )
        return (await self._followed(order)).piece

    async def _followed(self, order: WorkOrder) -> WorkView:
        """The cut when it has ended. Raises TimeoutError for one that takes long, and stops it."""
        try:
            async with asyncio.timeout(self.patience.total_seconds()):
                newest = await self.works.create(order)
                async for view in self.works.watch(order.tenant, newest.name, 0):
                    newest = view
        except TimeoutError:
            await self.works.cancel(order.tenant, order.request_id)
            raise
        return newest

    async def _keep(self, film_id: str, piece: Piece | None, count: int) -> None:
        moment = self.now()

        def keep(film: Film) -> Film | None:
            if piece is None or film.cuts or film.rough_clips >= count or film.state.terminal:
                return None
            return film.changed(moment, rough=piece, rough_clips=count)

        await self.films.change(film_id, keep)


def _free_cutter(model: Model) -> bool:
    makes_cuts = model.task == ModelChoice.operation(TaskType.COMPOSITION)
    return makes_cuts and model.ready and model.local and model.price.kind == "free"
