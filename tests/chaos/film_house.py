"""A stack whose films are paid for: every vendor is the simulator, and the bill is its own."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from services.suite.simulator.exports import variables
from services.suite.simulator.world import World
from tests.chaos.conftest import NAMED
from tests.fakes.simulator import simulator_thread
from tests.servers import Nats
from tests.stack import Stack

# What a shot of the budget preset costs at its vendors.
PICTURE, CLIP, SPEECH_PER_1K = 3_000, 50_000, 15_000


@dataclass(frozen=True)
class House:
    """The stack and its vendors."""

    stack: Stack
    world: World

    def charges(self) -> Counter[str]:
        """How often each request body was charged, over all vendors."""
        return Counter(
            f"{charge.job.vendor} {charge.request_digest}" for charge in self.world.charges
        )

    def billed_micros(self) -> int:
        """What all vendors are owed."""
        return sum(charge.amount_micros for charge in self.world.charges)

    def booked_micros(self) -> int:
        """What the ledger says was spent."""
        query = "SELECT kind, sum(amount_micros) FROM ledger_entries GROUP BY 1"
        sums = dict(self.stack.evidence.query("orchestrator", query))
        return int(sums.get("settle", 0)) - int(sums.get("refund", 0))


@contextmanager
def house(
    url: str = "",
    *,
    cached: bool = False,
    given: Mapping[str, str] | None = None,
    **simulated: Any,
) -> Iterator[House]:
    """Every service, on SQLite or a database; from a fixture that is not a coroutine.

    `given` are environment variables of the services besides.
    """
    nats = Nats()
    with simulator_thread(**simulated) as world:
        env = {**NAMED, **variables(world), "GENERATOR_POLL_SECONDS": "0.2", **(given or {})}
        env["ORCHESTRATOR_CACHE"] = str(cached).lower()
        stack = Stack(nats, url, env=env, without=())
        try:
            stack.start()
            yield House(stack, world)
        finally:
            stack.close()
            nats.close()


def shots(count: int, *, seconds: float = 2.0, words: bool = True) -> str:
    """So many shots, each unlike the others."""
    return json.dumps([
        {
            "shot_id": f"s{n:03d}",
            "prompt": f"A boat on a calm sea, picture {n}",
            "duration": seconds,
            **({"narration": f"These are words number {n}."} if words else {}),
        }
        for n in range(1, count + 1)
    ])  # fmt: skip


def wanted(count: int, **fields: Any) -> pb.CreateFilmRequest:
    """A film of the budget preset: picture, clip and voice of each shot from three vendors."""
    given = {"preset": "budget", "resolution": "720p", "captions": "attach", **fields}
    return pb.CreateFilmRequest(source=pb.FilmSource(shots_json=shots(count)), **given)
