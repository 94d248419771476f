"""Films against the simulator and on placeholders: how much faster at once, how long, how large."""

import asyncio
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.table import Row
from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from tests.chaos.film_house import house, shots, wanted
from tests.stack import Client, Stack

SHOTS, LONG, SHORT = 5, 100, 10
# Every vendor's job takes as long as every other one, so that luck has no part in it.
JOB_SECONDS = 8.0
PLANS = 20


def rows() -> list[Row]:
    """Speed-up, planning time, and the memory of long films."""
    return [*_speed_up(), *_long()]


def _speed_up() -> list[Row]:
    with house(speed=1.0, job_seconds=(JOB_SECONDS, JOB_SECONDS)) as found:
        one, three = (
            asyncio.run(_timed(found.stack, wanted(SHOTS, concurrency=width, use_cache=False)))
            for width in (1, 3)
        )
    name = f"film of {SHOTS} shots from vendors, 3 at once"
    return [
        Row(
            f"{name}, times faster than one at a time", f"{one / three:.2f}", ">= 2.2", one / three
        ),
        Row("  one at a time, 3 at once", f"{one:.0f}, {three:.0f} s", ""),
    ]


def _long() -> list[Row]:
    with house() as found:
        plan = asyncio.run(_planned(found.stack))
        # As many shots as the long film has, so that pools and caches are as warm before it.
        for _ in range(LONG // SHORT):
            asyncio.run(_timed(found.stack, _placeholders(SHORT)))
        short = _highest(found.stack)
        seconds = asyncio.run(_timed(found.stack, _placeholders(LONG)))
        long = _highest(found.stack)
        asyncio.run(_timed(found.stack, _placeholders(LONG)))
        again = _highest(found.stack)
    told = "; ".join(
        f"{name} {short[name]:.0f}, {long[name]:.0f}, {again[name]:.0f}" for name in long
    )
    films = f"{LONG // SHORT} films of {SHORT} shots, one of {LONG}, one more"
    return [
        Row(f"PlanFilm of {LONG} shots, median", f"{plan * 1e3:.0f} ms", "< 200 ms", plan * 1e3),
        Row(f"film of {LONG} shots on placeholders", f"{seconds:.0f} s", ""),
        Row(f"  highest memory after {films}, MiB", told, ""),
        _growth("  most growth of a service by the long film", _most(short, long), "<= 5 %"),
        _growth("  by the second one", _most(long, again), "<= 3 %"),
    ]


def _growth(name: str, percent: float, against: str) -> Row:
    return Row(name, f"{percent:.1f} %", against, percent)


def _most(before: dict[str, float], after: dict[str, float]) -> float:
    """How much the service that grew most has grown, in percent."""
    return max(after[name] / before[name] - 1 for name in after) * 100


def _placeholders(count: int) -> pb.CreateFilmRequest:
    """A film that is all made here, as many parts at once as there may be."""
    source = pb.FilmSource(shots_json=shots(count, seconds=1.0))
    return pb.CreateFilmRequest(
        source=source,
        providers={"animation": "storyboard", "audio": "espeak"},
        concurrency=10,
        use_cache=False,
        resolution="480p",
        fps=8,
        captions="attach",
    )


async def _planned(stack: Stack) -> float:
    """Seconds of one call of PlanFilm, the median of many."""
    async with stack.client() as client:
        films: Any = FilmServiceStub(client.channel)
        request = pb.PlanFilmRequest(request=wanted(LONG))
        taken = []
        for _ in range(PLANS):
            began = time.perf_counter()
            await films.PlanFilm(request)
            taken.append(time.perf_counter() - began)
    return median(taken)


async def _timed(stack: Stack, request: pb.CreateFilmRequest) -> float:
    """Seconds from the request to the end of the film."""
    async with stack.client() as client:
        began = time.perf_counter()
        film = await _made(client, request)
        if film.state != pb.Film.STATE_SUCCEEDED:
            raise RuntimeError(film.error.message)
        return time.perf_counter() - began


async def _made(client: Client, request: pb.CreateFilmRequest) -> pb.Film:
    films: Any = FilmServiceStub(client.channel)
    film: pb.Film = (await films.CreateFilm(request)).film
    async for change in films.WatchFilm(pb.WatchFilmRequest(name=film.name)):
        film = change.film
    return film


def _highest(stack: Stack) -> dict[str, float]:
    """The highest resident memory of each service so far, in MiB."""
    found = {}
    for name, service in stack.services.items():
        status = Path(f"/proc/{service.pid}/status").read_text()
        line = next(row for row in status.splitlines() if row.startswith("VmHWM"))
        found[name] = int(line.split()[1]) / 1024
    return found
