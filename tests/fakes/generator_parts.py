"""Parts around the generator's use cases: a ledger in memory, a scripted back end, storage."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.common.errors import DataLoss, PermissionDenied, RequestConflict, ServiceError
from services.generator.domain.callbacks import Callback
from services.generator.domain.durations import Durations
from services.generator.domain.facts import Cost, Identity, Output, Progress
from services.generator.domain.generation import Generation, State
from services.generator.domain.media import Media
from services.generator.domain.models import (
    Lifecycle,
    Model,
    Price,
    PriceKind,
    PriceTier,
)
from services.generator.domain.orders import Order
from services.generator.domain.ports import Accepted, Content, Entry, Made, Update, Work
from services.generator.domain.steps import Step
from services.generator.domain.storage_port import Stored
from services.generator.domain.tasks import Operation, Task, VideoTask
from services.generator.domain.vendor_keys import NO_KEYS, OwnKeys

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLIP = b"clip" * 1000


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **kwargs: float) -> None:
        self.moment += timedelta(**kwargs)


def order(request_id: str = "r1", digest: str = "hash", **kwargs: object) -> Order:
    task = VideoTask(prompt="a dog runs", duration_seconds=5, seed=7)
    values: dict[str, object] = {"model": "paid", "task": task, **kwargs}
    return Order(request_id=request_id, request_hash=digest, **values)  # type: ignore[arg-type]  # fields by name


def entry(identifier: str = "g1", **kwargs: object) -> Entry:
    ordered = order(str(kwargs.pop("request_id", f"r-{identifier}")))
    values: dict[str, object] = {
        "tenant": "acme",
        "model": "paid",
        "identity": Identity(provider="vendor", endpoint="https://v", credential="VENDOR_KEY"),
        "create_time": START,
        "deadline": START + timedelta(hours=1),
        **kwargs,
    }
    generation = Generation(
        id=identifier,
        request_id=ordered.request_id,
        request_hash=ordered.request_hash,
        **values,  # type: ignore[arg-type]  # fields by name
    )
    return Entry(generation, ordered)


def paid_model(**kwargs: object) -> Model:
    values: dict[str, object] = {
        "id": "paid",
        "display_name": "Paid",
        "provider": "vendor",
        "operation": Operation.VIDEO,
        "lifecycle": Lifecycle.GA,
        "durations": Durations(values=(5, 10)),
        "seed_maximum": 2**31,
        "price": Price(PriceKind.PER_CLIP, (PriceTier(250_000),)),
        **kwargs,
    }
    return Model(**values)  # type: ignore[arg-type]  # fields by name


class MemoryLedger:
    """The ledger's contract on a dictionary."""

    def __init__(self) -> None:
        self.rows: dict[str, Entry | Generation] = {}
        self.owners: dict[str, str] = {}
        self.heartbeats: dict[str, datetime] = {}
        self.history: list[Generation] = []
        self.callbacks: dict[tuple[str, str], str] = {}
        self.untold: list[str] = []

    def _generation(self, identifier: str) -> Generation:
        row = self.rows[identifier]
        return row.generation if isinstance(row, Entry) else row

    def _by_request(self, tenant: str, request_id: str) -> str:
        for identifier in self.rows:
            row = self._generation(identifier)
            if (row.tenant, row.request_id) == (tenant, request_id):
                return identifier
        return ""

    async def open(self, entry: Entry, owner: str) -> tuple[Entry, bool]:
        found = self._by_request(entry.generation.tenant, entry.generation.request_id)
        if not found:
            self.rows[entry.generation.id] = entry
            self.owners[entry.generation.id] = owner
            self.history.append(entry.generation)
            return entry, True
        present = self._generation(found)
        if present.is_tombstone:
            present = present.created_after_cancel(entry.generation)
            self.rows[found] = Entry(present, entry.order)
        elif present.request_hash != entry.generation.request_hash:
            raise RequestConflict(present.request_id)
        return Entry(present, entry.order), False

    async def save(
        self, generation: Generation, *, owner: str = "", release: bool = False, soon: bool = False
    ) -> bool:
        row = self.rows[generation.id]
        stale = self._generation(generation.id).sequence != generation.sequence - 1
        if stale or (owner and self.owners[generation.id] != owner):
            return False
        assert isinstance(row, Entry)
        self.rows[generation.id] = Entry(generation, row.order)
        self.history.append(generation)
        if release:
            self.owners[generation.id] = ""
        return True

    async def save_within(self, generation: Generation, *, owner: str, limit: int) -> bool | None:
        busy = 0
        for identifier, name in self.owners.items():
            row = self._generation(identifier)
            stopping = row.state is State.CANCELLED and row.submissions == 1
            now = generation.submit_time or generation.create_time
            lately = (row.submit_time or START) > now - timedelta(minutes=10)
            unknown = row.state is State.UNKNOWN_OUTCOME and lately
            under_way = row.state in {State.SUBMITTING, State.QUEUED, State.RUNNING}
            under_way = under_way or stopping or unknown
            busy += bool(name) and under_way and row.identity.account == generation.identity.account
        return None if busy >= limit else await self.save(generation, owner=owner)

    async def sent(self, provider: str, start: datetime, end: datetime) -> Sequence[Generation]:
        every = [self._generation(identifier) for identifier in self.rows]
        return [
            one
            for one in every
            if one.identity.provider == provider
            and one.submit_time is not None
            and start <= one.submit_time < end
        ]

    async def get(self, tenant: str, identifier: str) -> Generation | None:
        if identifier not in self.rows:
            return None
        found = self._generation(identifier)
        return found if found.tenant == tenant and not found.is_tombstone else None

    async def find(self, tenant: str, request_id: str) -> Entry | None:
        row = self.rows.get(self._by_request(tenant, request_id))
        return row if isinstance(row, Entry) else None

    async def load(self, identifier: str) -> Entry | None:
        row = self.rows.get(identifier)
        return row if isinstance(row, Entry) else None

    async def bury(self, mark: Generation) -> Generation | None:
        found = self._by_request(mark.tenant, mark.request_id)
        if found:
            return self._generation(found)
        self.rows[mark.id] = mark
        self.owners[mark.id] = ""
        return None

    async def heartbeat(self, owner: str, *, now: datetime) -> Sequence[str]:
        self.heartbeats[owner] = now
        mine = [identifier for identifier, name in self.owners.items() if name == owner]
        return [name for name in mine if self._generation(name).state is State.CANCELLED]

    async def note(self, identifier: str, callback: Callback, *, now: datetime) -> bool:
        new = (identifier, callback.message) not in self.callbacks
        if new:
            self.callbacks[identifier, callback.message] = callback.job
            self.untold.append(identifier)
        return new

    async def called_back(self, identifier: str) -> str:
        found = [job for (name, _), job in self.callbacks.items() if name == identifier and job]
        return found[-1] if found else ""

    async def news(self, owner: str) -> Sequence[str]:
        mine = {name for name in self.untold if self.owners.get(name) == owner}
        self.untold = [name for name in self.untold if name not in mine]
        return sorted(mine)

    async def claim(self, owner: str, *, dead_before: datetime) -> Sequence[Entry]:
        alive = {name for name, beat in self.heartbeats.items() if beat >= dead_before}
        found = []
        for identifier, name in self.owners.items():
            row = self.rows[identifier]
            if name and name != owner and name not in alive and isinstance(row, Entry):
                self.owners[identifier] = owner
                found.append(row)
        return found

    async def succeed(self, replica: str, owner: str) -> None:
        for name in list(self.heartbeats):
            if name.startswith(f"{replica}/") and name != owner:
                del self.heartbeats[name]

    async def retire(self, owner: str) -> None:
        self.heartbeats.pop(owner, None)

    async def adopt(self, identifier: str, owner: str) -> bool:
        if self.owners.get(identifier) != "":
            return False
        self.owners[identifier] = owner
        return True

    async def release(self, identifier: str, owner: str) -> None:
        if self.owners.get(identifier) == owner:
            self.owners[identifier] = ""


class MemoryHalts:
    """`Halts` in a dictionary."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    async def halt(self, provider: str, reason: str, *, at: datetime) -> None:
        self.reasons.setdefault(provider, reason)

    async def resume(self, provider: str) -> bool:
        return self.reasons.pop(provider, None) is not None

    async def halted(self) -> Mapping[str, str]:
        return dict(self.reasons)


@asynccontextmanager
async def clip(content: bytes = CLIP) -> AsyncIterator[Content]:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    digest = hashlib.sha256(content).hexdigest()
    yield Content(content_type="video/mp4", chunks=chunks(), sha256=digest)


def made(**kwargs: object) -> Made:
    return Made(opened=clip, **kwargs)  # type: ignore[arg-type]  # fields by name


class ScriptedBackend:
    """Plays one script of updates per look; counts what it was asked for, as a bill would."""

    def __init__(self, *scripts: Sequence[Update | ServiceError], remote: bool = True) -> None:
        self.scripts = list(scripts) or [[made()]]
        self.remote = remote
        self.submitted: list[Work] = []
        self.cancelled: list[str] = []
        self.forgotten: list[str] = []
        self.answers: list[Accepted | Made | ServiceError] = []
        self.found: list[Accepted | ServiceError | None] = []
        self.looks: list[Update | ServiceError] = []
        self.taken_in: list[Media] = []
        self.begun = True
        self.hold_updates = False
        self.heard: Callback | None = None
        self.hold: asyncio.Event | None = None
        self.hold_submit: asyncio.Event | None = None

    async def submit(self, work: Work) -> Accepted | Made:
        self.submitted.append(work)
        if self.hold_submit is not None:
            await self.hold_submit.wait()
        answer = self.answers.pop(0) if self.answers else Accepted(job=f"job-{work.id}")
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    async def take_in(self, work: Work, picture: Media) -> Media:
        self.taken_in.append(picture)
        return Media(url=f"runway://{len(self.taken_in)}", placed=True)

    async def look_up(self, work: Work) -> Accepted | None:
        answer = self.found.pop(0) if self.found else None
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    def pause(
        self, work: Work, job: str, trouble: int = 0, asked: float | None = None
    ) -> float | None:
        return None

    async def updates(self, work: Work, job: str) -> AsyncGenerator[Update, None]:
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        for step in script:
            if isinstance(step, ServiceError):
                raise step
            if self.hold is not None and not isinstance(step, Progress):
                await self.hold.wait()
            yield step
        if self.hold_updates:
            await asyncio.Event().wait()

    async def look(self, work: Work, job: str) -> Update:
        answer = self.looks.pop(0) if self.looks else Progress()
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    async def cancel(self, work: Work, job: str) -> bool:
        self.cancelled.append(job)
        return self.begun

    async def forget(self, work: Work) -> None:
        self.forgotten.append(work.id)

    async def hear(self, headers: Mapping[str, str], body: bytes) -> Callback:
        if self.heard is None:
            raise PermissionDenied("forged")
        return self.heard

    def still_billed(self, generation: Generation) -> str:
        return "vendor bills it" if self.remote else ""


class OneBackend:
    """Serves every model with the same back end."""

    def __init__(self, backend: ScriptedBackend, maximum: int = 0) -> None:
        self.backend = backend
        self.maximum = maximum

    def identity(self, model: Model, task: Task, own: OwnKeys) -> Identity:
        return Identity(provider=model.provider, credential="VENDOR_KEY")

    def limit(self, identity: Identity) -> int:
        return self.maximum

    async def serving(self, identity: Identity, tenant: str) -> ScriptedBackend:
        return self.backend


@dataclass
class MemoryStorage:
    """Keeps one asset per generation; `failures` are raised first."""

    failures: list[ServiceError] = field(default_factory=list)
    uploads: int = 0
    host: str = "https://signed.example"
    taken_in: list[tuple[str, str]] = field(default_factory=list)
    assets: dict[str, bytes] = field(default_factory=dict)
    makers: dict[str, str] = field(default_factory=dict)

    async def upload(self, entry: Entry, content: Content) -> Stored:
        self.uploads += 1
        if self.failures:
            raise self.failures.pop(0)
        data = b"".join([chunk async for chunk in content.chunks])
        self.assets.setdefault(entry.generation.id, data)
        output = Output(
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            content_type=content.content_type,
            storage_url="file:///x",
        )
        return Stored(asset=f"assets/{entry.generation.id}", output=output)

    async def look(self, entry: Entry, asset: str) -> Stored:
        if asset != f"assets/{entry.generation.id}":
            raise DataLoss("it was not made by this generation")
        data = self.assets[entry.generation.id]
        digest = hashlib.sha256(data).hexdigest()
        output = Output(sha256=digest, size_bytes=len(data), content_type="video/mp4")
        return Stored(asset=asset, output=output)

    async def maker(self, tenant: str, asset: str) -> str:
        return self.makers.get(f"{tenant}:{asset}", "")

    async def keep(self, tenant: str, media: Media, request_id: str) -> str:
        self.assets[request_id] = media.data
        return f"assets/{request_id}"

    async def sign(self, tenant: str, asset: str) -> str:
        return f"{self.host}/{tenant}/{asset}"

    async def read(self, tenant: str, asset: str) -> tuple[bytes, str]:
        return f"{tenant}:{asset}".encode(), "image/webp"

    async def download(self, tenant: str, asset: str, destination: Path) -> str:
        destination.write_bytes(f"{tenant}:{asset}".encode())
        return "image/webp"

    async def take_in(self, tenant: str, url: str, request_id: str) -> str:
        self.taken_in.append((url, request_id))
        return "assets/taken"


@dataclass
class Steps:
    """Remembers the steps that were reached."""

    reached_steps: list[Step] = field(default_factory=list)

    def reached(self, step: Step) -> None:
        self.reached_steps.append(step)


async def no_keys(tenant: str) -> OwnKeys:
    """Nobody has a key of their own."""
    return NO_KEYS


FREE = Cost(micros=0, source="free")
