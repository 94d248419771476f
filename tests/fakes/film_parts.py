"""The ports of films in memory: films, a generator of everything but clips, scripts, history."""

import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.common.errors import NotFound, RequestConflict, ServiceError, Unavailable
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.films.film import Film, FilmState
from services.orchestrator.domain.films.ports import Breakdown
from services.orchestrator.domain.films.resources import ResourceSnapshot, can_start
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.strategy import (
    Experience,
    StrategyPerformance,
    StrategyRun,
    StrategyType,
)
from services.orchestrator.domain.films.tasks import Piece, Word
from services.orchestrator.domain.films.works import LookWork, SpeechWork, WorkOrder, WorkView
from services.orchestrator.domain.images.edits import ImageEdit
from services.orchestrator.domain.values import Failure

INTERRUPTED = Failure(reason="UNAVAILABLE", message="a restart", retryable=True)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class MemoryFilms:
    """Films as `FilmStore` promises them; `ordered` are the runs that were ordered."""

    def __init__(self, *films: Film) -> None:
        self.films = {film.id: film for film in films}
        self.prints: dict[tuple[str, str], tuple[str, str]] = {}
        self.ordered: list[str] = []
        self.cancelled: list[str] = []
        self.changes = 0

    async def accept(self, film: Film, fingerprint: str) -> tuple[Film, bool]:
        known = await self.known(film.tenant, film.request_id, fingerprint)
        if known is not None:
            return known, True
        self.films[film.id] = film
        self.prints[film.tenant, film.request_id] = (fingerprint, film.id)
        if film.state is FilmState.QUEUED:
            self.ordered.append(f"{film.id}.{film.run}")
        return film, False

    async def known(self, tenant: str, request_id: str, fingerprint: str) -> Film | None:
        found = self.prints.get((tenant, request_id)) if request_id else None
        if found and found[0] != fingerprint:
            raise RequestConflict(request_id)
        return self.films[found[1]] if found else None

    async def get(self, tenant: str, film_id: str) -> Film:
        film = self.films.get(film_id)
        if film is None or film.tenant != tenant:
            raise NotFound("film", film_id)
        return film

    async def read(self, film_id: str) -> Film:
        if film_id not in self.films:
            raise NotFound("film", film_id)
        return self.films[film_id]

    async def list(self, tenant: str, before: str, limit: int) -> Any:
        mine = sorted((f for f in self.films.values() if f.tenant == tenant), key=lambda f: f.id)
        return [f for f in reversed(mine) if not before or f.id < before][:limit]

    async def change(self, film_id: str, mutate: Callable[[Film], Film | None]) -> Film:
        film = await self.read(film_id)
        changed = mutate(film)
        if changed is None:
            return film
        assert changed.sequence == film.sequence + 1
        self.films[film_id] = changed
        self.changes += 1
        return changed

    async def set_going(
        self, tenant: str, film_id: str, mutate: Callable[[Film], Film | None]
    ) -> Film:
        before = await self.get(tenant, film_id)
        film = await self.change(film_id, mutate)
        if film is not before:
            self.ordered.append(f"{film.id}.{film.run}")
            if len(film.dropped) > len(before.dropped):
                self.cancelled.append(f"{film.id}.{film.run}")
        return film

    async def request_cancel(self, tenant: str, film_id: str) -> Film:
        film = await self.get(tenant, film_id)
        self.cancelled.append(f"{film.id}.{film.run}")
        return await self.change(
            film_id, lambda f: f.changed(f.update_time, state=FilmState.CANCELLING)
        )


class ScriptedWorks:
    """Makes each order as `script` says by its request id: "ok", "fail", "limited", "refused",
    "hang" or "interrupted".

    `begun` counts every order once, however often it is asked for; `cost` is what it costs, made
    or not,
    `quality` what is found in a cut: its score, how much its pictures look like their words, and
    what was not measured; `alike` how much what an order looks at is like a sheet. A line takes
    `spoken` seconds, and has these `words`.
    """

    def __init__(
        self,
        script: Callable[[str], str] = lambda _: "ok",
        *,
        cost: Callable[[str], int] = lambda _: 0,
        seconds: float = 2.0,
    ) -> None:
        self.script, self.cost, self.seconds = script, cost, seconds
        self.begun: dict[str, WorkOrder] = {}
        self.cancelled: set[str] = set()
        self.spoken, self.words = 1.2, tuple[Word, ...]()
        self.quality: tuple[float, float | None, tuple[str, ...]] = (1.0, None, ("prompt_match",))
        self.alike: Callable[[WorkOrder], float | None] = lambda _: None
        self.refusal: ServiceError = Unavailable("busy", metadata={"provider": "vendor"})

    async def create(self, order: WorkOrder) -> WorkView:
        known = self.begun.get(order.request_id)
        if known is not None and known != replace(order, max_price_micros=known.max_price_micros):
            raise RequestConflict(order.request_id)
        if self.script(order.request_id) == "refused":
            raise self.refusal
        self.begun[order.request_id] = order
        return self._view(order.request_id, "running")

    async def watch(self, tenant: str, name: str, after: int) -> AsyncIterator[WorkView]:
        request_id = name.removeprefix("generations/")
        yield self._view(request_id, "running")
        if request_id in self.cancelled:
            yield self._view(request_id, "cancelled")
        elif self.script(request_id) == "interrupted":
            yield replace(self._view(request_id, "failed"), error=INTERRUPTED)
        elif self.script(request_id) in {"fail", "limited"}:
            yield self._view(request_id, "failed")
        elif self.script(request_id) == "hang":
            raise Unavailable
        else:
            yield self._view(request_id, "succeeded")

    async def cancel(self, tenant: str, request_id: str) -> None:
        self.cancelled.add(request_id)

    def _quality(self) -> dict[str, Any]:
        score, match, missing = self.quality
        return {"quality": score, "prompt_match": match, "not_measured": missing}

    def _view(self, request_id: str, state: str) -> WorkView:
        digest = hashlib.sha256(request_id.encode()).hexdigest()
        done = state == "succeeded"
        order = self.begun.get(request_id)
        model = order.model if order else ""
        line = order is not None and isinstance(order.work, SpeechWork)
        piece = Piece(
            asset=f"assets/{digest[:26]}",
            sha256=digest,
            duration_seconds=self.spoken if line else self.seconds,
            model=model,
            words=self.words if line else (),
        )
        reason = "RATE_LIMITED" if self.script(request_id) == "limited" else "GENERATION_FAILED"
        fault = Failure(reason=reason, message="no", metadata={"provider": "vendor"})
        return WorkView(
            name=f"generations/{request_id}",
            state=state,
            sequence=9 if done else 1,
            model=model,
            provider="vendor",
            piece=piece if done else None,
            **(self._quality() if done and "composition" in request_id else {}),
            likeness=self.alike(order) if order and isinstance(order.work, LookWork) else None,
            cost_micros=None if state == "running" else self.cost(request_id),
            error=fault if state == "failed" else None,
        )


class Shelf:
    """`LibraryPort` with clips by a word of the prompt."""

    def __init__(self, **clips: Piece) -> None:
        self.clips, self.asked = clips, 0
        self.stills: list[Piece | None] = [Piece(asset="assets/still", sha256="still")]

    async def find(
        self, tenant: str, words: str, seconds: float, *, without: Collection[str] = ()
    ) -> Piece | None:
        self.asked += 1
        found = [piece for word, piece in self.clips.items() if word in words]
        found = [piece for piece in found if piece.asset not in without]
        return next((p for p in found if p.duration_seconds >= seconds), None)

    async def still(self, tenant: str, asset: str) -> Piece | None:
        return self.stills.pop(0) if len(self.stills) > 1 else self.stills[0]


class MemoryHistory:
    """`HistoryStore` in a list."""

    def __init__(self) -> None:
        self.runs: dict[str, tuple[StrategyType, StrategyRun]] = {}

    async def record(self, film_run: str, strategy: StrategyType, run: StrategyRun) -> None:
        self.runs.setdefault(film_run, (strategy, run))

    async def experience(self) -> Experience:
        return {
            each: StrategyPerformance.of([r for s, r in self.runs.values() if s is each])
            for each in StrategyType
        }


class MemoryVoices:
    """`VoiceStore` in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str, str], str] = {}

    async def voices(self, tenant: str, model: str) -> Mapping[str, str]:
        mine = {k: v for k, v in self.known.items() if k[:2] == (tenant, model)}
        return {key[2]: voice for key, voice in mine.items()}

    async def assign(self, tenant: str, model: str, character: str, voice: str) -> str:
        return self.known.setdefault((tenant, model, character), voice)


class MemorySheets:
    """`SheetStore` in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], CharacterSheet] = {}

    async def sheets(self, tenant: str, names: Collection[str]) -> Sequence[CharacterSheet]:
        return [self.known[tenant, name] for name in names if (tenant, name) in self.known]

    async def keep(self, tenant: str, sheets: Sequence[CharacterSheet]) -> None:
        self.known |= {(tenant, sheet.name): sheet for sheet in sheets}


class FixedScript:
    """`ScriptPort` that always breaks down to the same; feedback becomes the time of day."""

    def __init__(self, breakdown: Breakdown | None = None) -> None:
        self.breakdown = breakdown or Breakdown(title="", shots=())
        self.away = False
        self.rules_only: list[bool] = []

    async def retell(
        self, tenant: str, shot: Shot, feedback: str, *, rules_only: bool = False
    ) -> Shot:
        self.rules_only.append(rules_only)
        if self.away:
            raise Unavailable
        return replace(shot, prompt=f"{shot.prompt}, retold {feedback}", time_of_day=feedback)

    async def break_down(self, tenant: str, script: str, *, rules_only: bool = False) -> Breakdown:
        self.rules_only.append(rules_only)
        return self.breakdown


class FixedMonitor:
    """`ResourceMonitor` whose next looks are told; the last one stays."""

    def __init__(self, *looks: ResourceSnapshot) -> None:
        calm = ResourceSnapshot(cpu_percent=5.0, memory_percent=5.0, cores=16, taken=NOW)
        self.looks = list(looks or (calm,))

    async def current_snapshot(self) -> ResourceSnapshot:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    async def can_start_task(self, estimated_resource_cost: float) -> bool:
        return can_start(await self.current_snapshot(), estimated_resource_cost)

    async def wait_for_resources(self, estimated_resource_cost: float) -> None:
        return


class MemoryEdits:
    """`EditStore` in a dictionary; `ordered` are the edits that were ordered."""

    def __init__(self, *edits: ImageEdit) -> None:
        self.edits = {edit.id: edit for edit in edits}
        self.prints: dict[tuple[str, str], tuple[str, str]] = {}
        self.ordered: list[str] = []

    async def accept(
        self, edit: ImageEdit, request_id: str, fingerprint: str
    ) -> tuple[ImageEdit, bool]:
        known = await self.known(edit.tenant, request_id, fingerprint)
        if known is not None:
            return known, True
        self.edits[edit.id] = edit
        self.ordered.append(edit.id)
        if request_id:
            self.prints[edit.tenant, request_id] = (fingerprint, edit.id)
        return edit, False

    async def known(self, tenant: str, request_id: str, fingerprint: str) -> ImageEdit | None:
        found = self.prints.get((tenant, request_id)) if request_id else None
        if found and found[0] != fingerprint:
            raise RequestConflict(request_id)
        return self.edits[found[1]] if found else None

    async def get(self, tenant: str, edit_id: str) -> ImageEdit:
        edit = await self.read(edit_id)
        if edit.tenant != tenant:
            raise NotFound("image edit", edit_id)
        return edit

    async def read(self, edit_id: str) -> ImageEdit:
        if edit_id not in self.edits:
            raise NotFound("image edit", edit_id)
        return self.edits[edit_id]

    async def list(self, tenant: str, before: str, limit: int) -> Any:
        mine = sorted((e for e in self.edits.values() if e.tenant == tenant), key=lambda e: e.id)
        return [e for e in reversed(mine) if not before or e.id < before][:limit]

    async def unfinished(self, tenant: str) -> int:
        return sum(e.tenant == tenant and not e.state.terminal for e in self.edits.values())

    async def change(
        self, edit_id: str, mutate: Callable[[ImageEdit], ImageEdit | None]
    ) -> ImageEdit:
        known = await self.read(edit_id)
        self.edits[edit_id] = mutate(known) or known
        return self.edits[edit_id]
