"""A GeneratorService that follows a script: what becomes of each attempt is the test's to say."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import duration_pb2
from google.rpc import status_pb2
from google.type import money_pb2

from reelmesh.generator.v1 import generation_pb2, generator_service_pb2, model_pb2
from reelmesh.generator.v1 import generator_service_pb2_grpc as rpc
from services.common.errors import NotFound, RequestConflict, ServiceError
from services.common.identity import current_identity
from services.common.status import to_status

Generation = generation_pb2.Generation
Request = generator_service_pb2.CreateGenerationRequest
ENDED = {Generation.STATE_SUCCEEDED, Generation.STATE_FAILED, Generation.STATE_CANCELLED}


@dataclass(frozen=True)
class Succeed:
    """Steps of progress, then a stored clip; all of it once `after` is set, where it is given.

    Steps without a pause between them come quicker than the orchestrator writes them down.
    `likeness` is how much what a check looks at is like the picture that it is held against.
    """

    steps: tuple[int, ...] = (20, 60, 90)
    pause: float = 0.0
    cost_micros: int = 0
    after: asyncio.Event | None = None
    likeness: float | None = None


@dataclass(frozen=True)
class Fail:
    """Ends FAILED with this error, and is billed so much; None where nobody knows."""

    error: ServiceError
    cost_micros: int | None = 0


@dataclass(frozen=True)
class Refuse:
    """CreateGeneration itself fails."""

    error: ServiceError


@dataclass(frozen=True)
class Hang:
    """Runs until it is cancelled."""


@dataclass(frozen=True)
class Unknown:
    """The answer was lost; then, once `settled` is set, this is what it turns out to be."""

    error: ServiceError
    finally_: Succeed | Fail
    settled: asyncio.Event = field(default_factory=asyncio.Event)


Outcome = Succeed | Fail | Refuse | Hang | Unknown
Script = Callable[[Request], Outcome]


def model(identifier: str, **fields: Any) -> model_pb2.Model:
    """A ready video model that takes anything and costs nothing."""
    return model_pb2.Model(
        **{
            "id": identifier,
            "provider": identifier.partition("_")[0],
            "task": "video",
            "lifecycle": model_pb2.Model.LIFECYCLE_GA,
            "availability": model_pb2.Model.AVAILABILITY_READY,
            "capabilities": model_pb2.Capabilities(text=True, negative_prompt=True),
            "price": model_pb2.Price(kind="free", as_of="2026-01-01"),
            **fields,
        }
    )


class FakeGeneratorService(rpc.GeneratorServiceServicer):
    """Idempotent by request id, as the real one; `script` decides what becomes of a new attempt."""

    def __init__(self, *models: model_pb2.Model) -> None:
        self.models = list(models)
        self.script: Script = lambda _: Succeed()
        self.asked: Counter[str] = Counter()
        self.requests: dict[str, Request] = {}
        self._generations: dict[str, Generation] = {}
        self._tenants: dict[str, str] = {}
        self._tombstones: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()

    @property
    def order_of_models(self) -> list[str]:
        """Models of the attempts, in the order in which they were asked for."""
        return [request.model for request in self.requests.values()]

    async def CreateGeneration(self, request, context):
        key = request.request_id
        self.asked[key] += 1
        known = self.requests.get(key)
        if known is not None and known != request:
            raise RequestConflict(key)
        if known is None:
            self.requests[key] = request
            outcome = self.script(request)
            if isinstance(outcome, Refuse):
                raise outcome.error
            self._begin(request, outcome)
        return generator_service_pb2.CreateGenerationResponse(generation=self._by_request(key))

    def _begin(self, request: Request, outcome: Outcome) -> None:
        name = f"generations/g{len(self._generations) + 1}"
        self._tenants[name] = current_identity().tenant
        cancelled = request.request_id in self._tombstones
        self._generations[name] = Generation(
            name=name,
            request_id=request.request_id,
            state=Generation.STATE_CANCELLED if cancelled else Generation.STATE_RUNNING,
            sequence=1,
            model=request.model,
            provider=request.model.partition("_")[0],
        )
        if not cancelled:
            task = asyncio.create_task(self._play(name, outcome))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _play(self, name: str, outcome: Outcome) -> None:
        match outcome:
            case Succeed():
                if outcome.after is not None:
                    await outcome.after.wait()
                for percent in outcome.steps:
                    await self._change(name, progress_percent=percent, progress_source="vendor")
                    await asyncio.sleep(outcome.pause)
                await self._change(name, state=Generation.STATE_STORING)
                await self._change(name, **_stored(name, outcome, self._seconds(name)))
            case Fail():
                await self._change(name, progress_percent=40, progress_source="vendor")
                told = {} if outcome.cost_micros is None else {"cost": _money(outcome.cost_micros)}
                await self._fail(name, Generation.STATE_FAILED, outcome.error, **told)
            case Unknown():
                await self._fail(name, Generation.STATE_UNKNOWN_OUTCOME, outcome.error)
                await outcome.settled.wait()
                await self._play(name, outcome.finally_)
            case Hang():
                await self._change(name, progress_percent=10, progress_source="vendor")

    def _seconds(self, name: str) -> int:
        """A line is spoken in less time than a clip lasts."""
        task = self.requests[self._generations[name].request_id].task
        return 1 if task.WhichOneof("work") == "speech" else 5

    async def _fail(self, name: str, state: int, error: ServiceError, **told: Any) -> None:
        await self._change(name, state=state, error=to_status(error), **told)

    async def _change(self, name: str, **fields: Any) -> None:
        generation = self._generations[name]
        if generation.state in ENDED:
            return
        following = Generation()
        following.CopyFrom(generation)
        following.ClearField("error")
        following.MergeFrom(Generation(**fields))
        following.sequence += 1
        self._generations[name] = following
        async with self._changed:
            self._changed.notify_all()
        await asyncio.sleep(0.01)

    def _by_request(self, request_id: str) -> Generation:
        return next(g for g in self._generations.values() if g.request_id == request_id)

    def _get(self, name: str) -> Generation:
        found = self._generations.get(name)
        if found is None or self._tenants[name] != current_identity().tenant:
            raise NotFound("generation", name)
        return found

    async def GetGeneration(self, request, context):
        return generator_service_pb2.GetGenerationResponse(generation=self._get(request.name))

    async def WatchGeneration(self, request, context) -> AsyncIterator[Any]:
        seen = request.after_sequence
        while True:
            generation = self._get(request.name)
            if generation.sequence > seen:
                seen = generation.sequence
                yield generator_service_pb2.WatchGenerationResponse(generation=generation)
            if generation.state in ENDED:
                return
            async with self._changed:
                if self._generations[request.name].sequence == seen:
                    await self._changed.wait()

    async def CancelGeneration(self, request, context):
        known = [g for g in self._generations.values() if g.request_id == request.request_id]
        self._tombstones.add(request.request_id)
        for generation in known:
            await self._change(generation.name, state=Generation.STATE_CANCELLED)
        return generator_service_pb2.CancelGenerationResponse()

    async def ListModels(self, request, context):
        return generator_service_pb2.ListModelsResponse(models=self.models)

    async def GetCapacity(self, request, context):
        return generator_service_pb2.GetCapacityResponse()

    async def ReceiveWebhook(self, request, context):
        return generator_service_pb2.ReceiveWebhookResponse()

    async def close(self) -> None:
        """End what still plays."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _money(micros: int) -> money_pb2.Money:
    units, rest = divmod(micros, 1_000_000)
    return money_pb2.Money(currency_code="USD", units=units, nanos=rest * 1000)


def _stored(name: str, outcome: Succeed, seconds: int) -> dict[str, Any]:
    digest = hashlib.sha256(name.encode()).hexdigest()
    output = generation_pb2.Output(
        sha256=digest,
        width=854,
        height=480,
        fps=24,
        duration=duration_pb2.Duration(seconds=seconds),
    )
    if outcome.likeness is not None:
        output.quality.CopyFrom(generation_pb2.Quality(score=1.0, likeness=outcome.likeness))
    return {
        "state": Generation.STATE_SUCCEEDED,
        "progress_percent": 100,
        "asset": f"assets/{name.rpartition('/')[2]}",
        "output": output,
        "cost": _money(outcome.cost_micros),
        "error": status_pb2.Status(),
    }
