"""What films need from outside, as Protocols."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.strategy import Experience, StrategyRun, StrategyType
from services.orchestrator.domain.films.tasks import Piece
from services.orchestrator.domain.films.works import WorkOrder, WorkView


class FilmStore(Protocol):
    """Films. One change, one transaction, one event."""

    async def accept(self, film: Film, fingerprint: str) -> tuple[Film, bool]:
        """Write the film, and the order to make it unless it waits for approval, at once.

        Returns the film and whether it was there before (same request_id, same fingerprint).
        Raises RequestConflict for another fingerprint.
        """

    async def known(self, tenant: str, request_id: str, fingerprint: str) -> Film | None:
        """The film that has this request_id. Raises RequestConflict for another fingerprint."""

    async def get(self, tenant: str, film_id: str) -> Film:
        """The film. Raises NotFound."""

    async def read(self, film_id: str) -> Film:
        """The film whoever owns it: for flows alone, which a caller cannot reach."""

    async def list(self, tenant: str, before: str, limit: int) -> Sequence[Film]:
        """Newest first, behind the film with the id `before`."""

    async def change(self, film_id: str, mutate: Callable[[Film], Film | None]) -> Film:
        """Apply a change to the newest state; None from `mutate` means nothing to do."""

    async def set_going(
        self, tenant: str, film_id: str, mutate: Callable[[Film], Film | None]
    ) -> Film:
        """Apply a change and order the making of the film's new run, in one transaction.

        Where the film has dropped something, stopping that is ordered with it.
        """

    async def request_cancel(self, tenant: str, film_id: str) -> Film:
        """Mark CANCELLING and order it, in one transaction. Raises NotFound, AlreadyEnded."""


class WorkPort(Protocol):
    """The generator, for everything but clips, on behalf of a tenant."""

    async def create(self, order: WorkOrder) -> WorkView:
        """Ask for one generation; the same request_id never asks twice. Raises ServiceError."""

    def watch(self, tenant: str, name: str, after: int) -> AsyncIterator[WorkView]:
        """Changes from the present state to the end. Raises ServiceError."""

    async def cancel(self, tenant: str, request_id: str) -> None:
        """Tombstone it, known or not."""


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """A script as shots; warnings say what could not be understood."""

    title: str
    shots: tuple[Shot, ...]
    warnings: tuple[str, ...] = ()


class ScriptPort(Protocol):
    """The prompt service, as far as scripts and shots are concerned.

    With `rules_only` no language model is asked: the words stay in this deployment.
    """

    async def retell(
        self, tenant: str, shot: Shot, feedback: str, *, rules_only: bool = False
    ) -> Shot:
        """The shot as the feedback wants it. Raises InvalidArgument, Unavailable."""

    async def break_down(self, tenant: str, script: str, *, rules_only: bool = False) -> Breakdown:
        """The script's shots. Raises InvalidArgument, Unavailable."""


class LibraryPort(Protocol):
    """The tenant's stock: clips that it has put into storage with the label stock=true."""

    async def find(
        self, tenant: str, words: str, seconds: float, *, without: Collection[str] = ()
    ) -> Piece | None:
        """The clip nearest in meaning that is long enough, with its licence and attribution.

        The assets in `without` were seen before, and another one is wanted.
        """

    async def still(self, tenant: str, asset: str) -> Piece | None:
        """The still that storage has made of a clip; None while there is none."""


class HistoryStore(Protocol):
    """How films were made before: the last 100 of each strategy, of the whole deployment."""

    async def record(self, film_run: str, strategy: StrategyType, run: StrategyRun) -> None:
        """Keep one; the same film's run is kept once."""

    async def experience(self) -> Experience:
        """What they add up to."""


class VoiceStore(Protocol):
    """Which voice each character of a tenant has, in all of its films."""

    async def voices(self, tenant: str, model: str) -> Mapping[str, str]:
        """Voice ids by character."""

    async def assign(self, tenant: str, model: str, character: str, voice: str) -> str:
        """Give a character a voice unless it has one; returns the one it has."""


class SheetStore(Protocol):
    """What the characters of a tenant's films look like."""

    async def sheets(self, tenant: str, names: Collection[str]) -> Sequence[CharacterSheet]:
        """The newest sheets of these characters, as far as there are any."""

    async def keep(self, tenant: str, sheets: Sequence[CharacterSheet]) -> None:
        """Keep these for films to come: the newest of a name wins."""
