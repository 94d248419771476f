"""A task of a film: a node of its graph, how far it is, and what it made."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from services.orchestrator.domain.films.graph import VISUAL, TaskType
from services.orchestrator.domain.films.likeness import Likeness
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.notices import Warned
from services.orchestrator.domain.values import Failure

# Without one of these there is no film: they are tried again with reduced needs.
CRITICAL = frozenset({TaskType.SCRIPT, TaskType.AUDIO, TaskType.COMPOSITION})


class TaskState(StrEnum):
    """Life of a task. A degraded one is done, with something less than was asked for."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    DEGRADED = "degraded"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def finished(self) -> bool:
        """Whether what waits for it may begin."""
        return self in {TaskState.SUCCEEDED, TaskState.DEGRADED}


@dataclass(frozen=True, kw_only=True)
class Word:
    """A spoken word and when, in seconds from the beginning of its recording."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Something that a task made or found and storage keeps; `credit` is who must be named.

    `likeness` tells how much it looks like the sheet that it follows; None where it follows none.
    """

    asset: str
    sha256: str
    duration_seconds: float = 0.0
    model: str = ""
    placeholder: bool = False
    credit: str = ""
    words: tuple[Word, ...] = ()
    likeness: Likeness | None = None


@dataclass(frozen=True, kw_only=True)
class Take:
    """What a version of a task made, of the shot as it was told then; kept for going back to it."""

    version: int
    pieces: tuple[Piece, ...]
    warning: Warned = ""
    shot: Shot | None = None


@dataclass(frozen=True)
class Try:
    """One of the tries of which the one that looks most like a sheet is kept; `job` has made it.

    `price_micros` is what it cost, or would have without the cache; `drawn` that a model made it.
    """

    piece: Piece
    job: str = ""
    price_micros: int = 0
    drawn: bool = False


@dataclass(frozen=True)
class Words:
    """What a model is sent for a task; `made_for` tells the try and the model."""

    made_for: str
    prompt: str
    negative_prompt: str = ""


@dataclass(frozen=True, kw_only=True)
class FilmTask:
    """A node with its state. `shot` is "" for what belongs to the whole film.

    `version` counts how often it was wanted (1, then once more with every redo), `attempt` the
    tries, `repeats` those that trouble of ours ended for free; `reduced` says that this try asks
    for less. `model` is the model asked for, "" where one is chosen. `job` is the video job that
    makes it, `order` the generator's request id in work now, `asked` the model that it was sent
    to. `takes` are what earlier versions made; `taken` is the version that its pieces are of, 0
    for the newest. `tries` are what this version made until it looked like a sheet, `granted` how
    many more than one the budget allowed, and `extra_micros` the price of those, of all versions.
    `usual_micros` is what the film's own model would take for a clip that a cheaper one makes, and
    `spared_micros` what that has saved, of all versions. `billed` are the orders whose cost is
    among `cost_micros`, see `billing`. `told` are shots as this try knows them, where they were
    told otherwise since. Money in micro-USD.
    """

    id: str
    type: TaskType
    shot: str = ""
    priority: int = 0
    resource_cost: float = 0.5
    dependencies: tuple[str, ...] = ()
    model: str = ""
    state: TaskState = TaskState.WAITING
    version: int = 1
    attempt: int = 0
    reduced: bool = False
    repeats: int = 0
    progress_percent: int = 0
    job: str = ""
    order: str = ""
    asked: str = ""
    pieces: tuple[Piece, ...] = ()
    takes: tuple[Take, ...] = ()
    taken: int = 0
    words: Words | None = None
    cost_micros: int = 0
    saved_micros: int = 0
    billed: tuple[str, ...] = ()
    told: tuple[Shot, ...] = ()
    tries: tuple[Try, ...] = ()
    granted: int = 0
    extra_micros: int = 0
    usual_micros: int | None = None
    spared_micros: int = 0
    warning: Warned = ""
    error: Failure | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None

    @property
    def critical(self) -> bool:
        """Whether the film fails with it."""
        return self.type in CRITICAL

    @property
    def percent(self) -> int:
        """How much of it is done."""
        return 100 if self.state.finished else self.progress_percent

    @property
    def needs(self) -> float:
        """What this try needs of the machine: a reduced one half of what a whole one does."""
        return self.resource_cost / 2 if self.reduced else self.resource_cost

    @property
    def weight(self) -> int:
        """Its part of the film's progress."""
        return 10 if self.type in VISUAL | {TaskType.COMPOSITION} else 1

    def begun(self, now: datetime) -> Self:
        """One more try begins; a try that a crash interrupted goes on."""
        if self.state is TaskState.RUNNING:
            return self
        return replace(
            self,
            state=TaskState.RUNNING,
            attempt=self.attempt + 1,
            repeats=0,
            reduced=False,
            told=(),
            start_time=now,
            end_time=None,
            error=None,
        )

    def retried(self) -> Self:
        """The next try of this version, with reduced needs."""
        return replace(
            self, attempt=self.attempt + 1, reduced=True, job="", order="", progress_percent=0
        )

    def repeated(self) -> Self:
        """The same try once more, under another id: free trouble of ours ended it."""
        return replace(self, attempt=self.attempt + 1, repeats=self.repeats + 1, job="", order="")

    def done(self, now: datetime, pieces: tuple[Piece, ...], warning: Warned = "") -> Self:
        """The task with what it made; with a warning it is degraded."""
        state = TaskState.DEGRADED if warning else TaskState.SUCCEEDED
        return replace(
            self, state=state, pieces=pieces, warning=warning, order="", error=None, end_time=now
        )

    def failed(self, now: datetime, error: Failure) -> Self:
        """The task with why it failed."""
        return replace(self, state=TaskState.FAILED, error=error, order="", end_time=now)

    def again(self) -> Self:
        """What was not finished, to be made in the next run; what it has paid for is kept."""
        return replace(
            self,
            state=TaskState.WAITING,
            reduced=False,
            error=None,
            job="",
            order="",
            progress_percent=0,
            end_time=None,
        )

    def renewed(self, shot: Shot | None = None) -> Self:
        """What was finished, to be made anew as another version; what it cost stays counted.

        `shot` is how its shot was told until now.
        """
        kept = replace(self.again(), takes=self._kept(shot), taken=0)
        fresh = replace(kept, pieces=(), warning="", tries=(), granted=0)
        return replace(fresh, version=self.version + 1)

    def back_to(self, version: int, shot: Shot | None = None) -> Self:
        """The task with what an earlier version of it made; nothing changes for one without."""
        found = next((take for take in self.takes if take.version == version), None)
        if found is None or version == (self.taken or self.version):
            return self
        return replace(
            self,
            state=TaskState.DEGRADED if found.warning else TaskState.SUCCEEDED,
            takes=self._kept(shot),
            taken=version,
            pieces=found.pieces,
            warning=found.warning,
            error=None,
            order="",
        )

    def _kept(self, shot: Shot | None) -> tuple[Take, ...]:
        """The takes, with what there is now among them."""
        version = self.taken or self.version
        if not self.pieces or any(take.version == version for take in self.takes):
            return self.takes
        now = Take(version=version, pieces=self.pieces, warning=self.warning, shot=shot)
        return (*self.takes, now)

    def version_of(self, sha256: str) -> int | None:
        """The version whose first piece has this hash."""
        now = Take(version=self.taken or self.version, pieces=self.pieces)
        found = (t for t in (now, *self.takes) if t.pieces and t.pieces[0].sha256 == sha256)
        return next((take.version for take in found), None)
