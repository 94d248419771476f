"""What the simulator remembers, in memory and bounded: jobs, the bill, the calls."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from services.suite.simulator.faults import Fault, Scenario
from services.suite.simulator.jobs import Job, Order, view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.suite.simulator.settings import SimulatorSettings

MAX_JOBS: Final = 20_000
MAX_CHARGES: Final = 100_000
MAX_CALLS: Final = 10_000
MAX_PICTURES: Final = 100


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A row of the bill: one paid call that was accepted."""

    sequence: int
    job: Job
    amount_micros: int
    request_digest: str
    idempotency_key: str
    time: datetime


class World:
    """State shared by the vendors."""

    def __init__(
        self, settings: SimulatorSettings, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.settings = settings
        self.scenario = Scenario()
        self.url = ""
        self.media_url = ""
        self.now = now
        self.calls: deque[dict[str, Any]] = deque(maxlen=MAX_CALLS)
        self.leaks: deque[dict[str, Any]] = deque(maxlen=MAX_CALLS)
        self.deliveries: deque[dict[str, Any]] = deque(maxlen=MAX_CALLS)
        self.announce: Callable[[Any, Job], None] = _nobody
        self.charges: deque[Charge] = deque(maxlen=MAX_CHARGES)
        self.pictures: OrderedDict[str, bytes] = OrderedDict()
        self.most_at_once: dict[tuple[str, str], int] = {}
        self._under_way: dict[tuple[str, str], list[Job]] = {}
        self._jobs: OrderedDict[tuple[str, str], Job] = OrderedDict()
        self._sequence = 0
        self.reseed(settings.seed)

    def reseed(self, seed: int) -> None:
        """Let ids and durations begin anew."""
        self._random = random.Random(seed)  # noqa: S311 - it repeats on purpose
        self._link_key = hashlib.sha256(f"links {seed}".encode()).digest()

    def clear(self) -> None:
        """Forget everything but the settings."""
        self._jobs.clear()
        self.pictures.clear()
        self.most_at_once.clear()
        self._under_way.clear()
        for kept in (self.calls, self.leaks, self.deliveries, self.charges):
            kept.clear()
        self.scenario.clear()
        self._sequence = 0
        self.reseed(self.settings.seed)

    @property
    def orders(self) -> list[tuple[str, Order]]:
        """What was accepted and is remembered, by vendor, oldest first."""
        return [(job.vendor, job.order) for job in self._jobs.values()]

    def new_uuid(self) -> uuid.UUID:
        """Return an id that the seed decides."""
        return uuid.UUID(int=self._random.getrandbits(128), version=4)

    def open_job(self, vendor: str, order: Order, faults: Mapping[Fault, int], name: str) -> Job:
        """Begin a job under the vendor's name for it; the oldest ones are forgotten."""
        usual = self._random.uniform(*self.settings.job_seconds)
        seconds = (order.seconds or usual) / self.settings.speed
        job = Job(
            id=name,
            vendor=vendor,
            order=order,
            created=self.now(),
            seconds=seconds,
            faults=dict(faults),
        )
        self._jobs[vendor, name] = job
        while len(self._jobs) > MAX_JOBS:
            self._jobs.popitem(last=False)
        return job

    def begun(self, job: Job, credential: str) -> None:
        """Count what is under way with a credential, this job among it."""
        name = job.vendor, hashlib.sha256(credential.encode()).hexdigest()[:8]
        busy = [*self.under_way(*name), job]
        self._under_way[name] = busy
        self.most_at_once[name] = max(len(busy), self.most_at_once.get(name, 0))

    def under_way(self, vendor: str, credential: str) -> list[Job]:
        """Return the jobs of a credential (the first of its digest) that have not ended."""
        found, now = self._under_way.get((vendor, credential), []), self.now()
        return [job for job in found if not view(job, now).over]

    def keep_picture(self, name: str, picture: bytes) -> None:
        """Keep an upload; the oldest ones are forgotten."""
        self.pictures[name] = picture
        while len(self.pictures) > MAX_PICTURES:
            self.pictures.popitem(last=False)

    def charge(self, job: Job, digest: str, idempotency_key: str) -> None:
        """Add the job to the bill."""
        self._sequence += 1
        self.charges.append(
            Charge(
                sequence=self._sequence,
                job=job,
                amount_micros=job.order.price_micros,
                request_digest=digest,
                idempotency_key=idempotency_key,
                time=self.now(),
            )
        )

    def job(self, vendor: str, name: str) -> Job | None:
        """Return a job that is there, None for an unknown or deleted one."""
        found = self._jobs.get((vendor, name))
        return None if found is None or found.deleted else found

    def jobs(self, vendor: str) -> list[Job]:
        """Return a vendor's jobs, the newest first."""
        mine = [job for (name, _), job in self._jobs.items() if name == vendor and not job.deleted]
        return mine[::-1]

    def sign(self, words: str) -> str:
        """Return the signature of a link."""
        return hmac.digest(self._link_key, words.encode(), "sha256").hex()[:32]

    def link(self, job: Job, lifetime: float, *, index: int = 0) -> str:
        """Return a new address of a job's result that opens for `lifetime` seconds."""
        job.links += 1
        seconds = self.settings.media_seconds or lifetime
        expires = self.now() + timedelta(seconds=-1 if job.shows(Fault.EXPIRED_URL) else seconds)
        stamp = f"{expires.timestamp():.3f}"
        name = f"{index}.{job.order.clip.kind}"
        path = f"/media/{job.vendor}/{job.id}/{job.links}/{name}"
        return f"{self.media_url}{path}?expires={stamp}&signature={self.sign(path + stamp)}"


def _nobody(vendor: Any, job: Job) -> None:
    """Tell nobody: where no postman is there, no callback is sent."""


def digest_of(raw: bytes) -> str:
    """Return the SHA-256 of a request: of its canonical JSON where it is JSON."""
    try:
        body = json.loads(raw)
    except ValueError:
        return hashlib.sha256(raw).hexdigest()
    spelled = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(spelled.encode()).hexdigest()


def bill(world: World, refunds: Callable[[Job, datetime], bool]) -> dict[str, Any]:
    """Return the bill as JSON: a row per accepted paid call, and what is owed in the end."""
    now, rows, owed = world.now(), [], 0
    for charge in world.charges:
        back = refunds(charge.job, now)
        owed += 0 if back else charge.amount_micros
        rows.append(
            {
                "sequence": charge.sequence,
                "vendor": charge.job.vendor,
                "job_id": charge.job.id,
                "model": charge.job.order.model,
                "amount_micros": charge.amount_micros,
                "refunded": back,
                "request_digest": charge.request_digest,
                "idempotency_key": charge.idempotency_key,
                "time": charge.time.isoformat(),
                "state": view(charge.job, now).phase,
            }
        )
    return {"rows": rows, "count": len(rows), "owed_micros": owed}
