"""An edit of a picture by words: a small preview, or the same in full. The parent never changes."""

import hashlib
import json
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from services.common.errors import InvalidArgument
from services.orchestrator.domain.notices import Warned
from services.orchestrator.domain.options import ImageInput, check_not_negative, check_text
from services.orchestrator.domain.values import Failure

MAX_PROMPT = 2_000
MAX_SEED = 2**32 - 1
_ORDERS = "edits/"


class EditState(StrEnum):
    """Life of an edit; the last two are terminal."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def terminal(self) -> bool:
        """Whether nothing follows."""
        return self in {EditState.SUCCEEDED, EditState.FAILED}


@dataclass(frozen=True, kw_only=True)
class EditWish:
    """What a caller wants made of an asset or a character, and the most that it may cost."""

    prompt: str
    asset: str = ""
    character: str = ""
    model: str = ""
    seed: int | None = None
    aspect_ratio: str = ""
    budget_limit_micros: int | None = None
    placeholder: bool | None = None
    project: str = ""

    def __post_init__(self) -> None:
        """Raise InvalidArgument naming the field that cannot work."""
        if not self.prompt.strip():
            raise InvalidArgument("prompt", "is empty", allowed=(f"1 to {MAX_PROMPT} characters",))
        check_text("prompt", self.prompt, MAX_PROMPT)
        check_text("model", self.model, 128)
        check_text("aspect_ratio", self.aspect_ratio, 16)
        check_text("project", self.project, 128)
        check_not_negative("budget_limit", self.budget_limit_micros)
        if bool(self.asset) == bool(self.character):
            raise InvalidArgument("source", "must be one", allowed=("asset", "character"))
        if self.asset:
            ImageInput(asset=self.asset).check("source")
        if self.seed is not None and not 0 <= self.seed <= MAX_SEED:
            raise InvalidArgument("seed", "is out of range", allowed=(f"0 to {MAX_SEED}",))


@dataclass(frozen=True, kw_only=True)
class CommitWish:
    """What a caller wants of a preview: its size, the most that it may cost, the new words."""

    preview: str
    resolution: str = ""
    budget_limit_micros: int | None = None
    description: str = ""

    def __post_init__(self) -> None:
        """Raise InvalidArgument naming the field that cannot work."""
        check_text("resolution", self.resolution, 16)
        check_text("description", self.description, 500)
        check_not_negative("budget_limit", self.budget_limit_micros)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Whose picture is edited: the character's name and what it looked like in words."""

    name: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class ImageEdit:
    """One edit and what became of it. A change makes a new value. Money in micro-USD.

    `parent` is an asset or an address, "" for a picture of words alone; `preview` is the id of the
    preview that this one makes in full; `description` is what the subject looks like from then on,
    "" for as before. `price_micros` is the most that it may cost. `place` is its place in the
    queue: smaller goes first. `attempt` counts the tries: more than one where trouble of ours
    has ended the one before, which is known to have cost nothing. `cost_micros` is what the step
    that ended it knew; what it has cost by now the ledger says.
    """

    id: str
    tenant: str
    prompt: str
    model: str
    provider: str
    create_time: datetime
    parent: str = ""
    subject: Subject | None = None
    description: str = ""
    preview: str = ""
    preview_asset: str = ""
    seed: int | None = None
    aspect_ratio: str = ""
    resolution: str = ""
    price_micros: int | None = None
    limit_micros: int | None = None
    project: str = ""
    user: str = ""
    place: int = 0
    state: EditState = EditState.QUEUED
    attempt: int = 1
    asset: str = ""
    sha256: str = ""
    placeholder: bool = False
    cost_micros: int = 0
    warnings: tuple[Warned, ...] = ()
    error: Failure | None = None
    version: int = 0
    end_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"imageEdits/{self.id}"

    @property
    def words(self) -> str:
        """What a model is sent: where it sees no picture it is told what its subject looks like."""
        looks = self.subject.description.strip(" .") if self.subject and not self.parent else ""
        return f"{looks}. {self.prompt}" if looks else self.prompt

    @property
    def picture(self) -> ImageInput | None:
        """The picture that it is made from."""
        if not self.parent:
            return None
        stored = self.parent.startswith("assets/")
        return ImageInput(asset=self.parent) if stored else ImageInput(uri=self.parent)

    @property
    def order_id(self) -> str:
        """The generator's request id of the present try, stable for ever."""
        return f"{_ORDERS}{self.id}/{self.attempt}"

    def begun(self) -> Self:
        """It is in work."""
        return replace(self, state=EditState.RUNNING)

    def again(self) -> Self:
        """The same under another id: trouble of ours has ended the try, for nothing."""
        return replace(self, attempt=self.attempt + 1)

    def failed(self, now: datetime, error: Failure, cost_micros: int = 0) -> Self:
        """Nothing was made, and why."""
        return replace(
            self, state=EditState.FAILED, error=error, cost_micros=cost_micros, end_time=now
        )


def is_of_edit(order_id: str) -> bool:
    """Whether an attempt of the ledger is an edit's."""
    return order_id.startswith(_ORDERS)


def print_of(tenant: str, wish: EditWish | CommitWish) -> str:
    """SHA-256 over all that was asked for: what is left as it is by default does not count.

    A field that comes later so changes no fingerprint of requests that do not use it.
    """
    told = {
        each.name: value
        for each in fields(wish)
        if (value := getattr(wish, each.name)) != each.default
    }
    kind = "commit" if isinstance(wish, CommitWish) else "preview"
    asked = json.dumps([tenant, kind, told], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(asked.encode()).hexdigest()


def seed_for(edit_id: str) -> int:
    """The seed of an edit that none was given for: it follows from its id."""
    return int.from_bytes(hashlib.sha256(edit_id.encode()).digest()[:8]) % (2**31 - 1)
