"""What a queue's loop waits on: a ring ends the wait, a stop ends the loop, neither is lost."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from services.orchestrator.durable import queues
from services.orchestrator.durable.queues import Bell, Bells

LONG = 3600.0


def waiting(bell: Bell, found: list[bool]) -> threading.Thread:
    """A thread that waits once, for an hour, and writes down what the wait told."""
    thread = threading.Thread(target=lambda: found.append(bell.wait(timeout=LONG)), daemon=True)
    thread.start()
    return thread


def test_a_ring_ends_a_wait_without_ending_the_loop():
    bell = Bell()
    found: list[bool] = []
    thread = waiting(bell, found)
    bell.ring()
    thread.join(30)
    assert found == [False]
    assert not bell.is_set()


def test_a_ring_before_the_wait_is_not_lost():
    bell = Bell()
    bell.ring()
    assert bell.wait(timeout=LONG) is False


def test_many_rings_are_one_look():
    bell = Bell(rest=0.0)
    found: list[bool] = []
    for _ in range(100):
        bell.ring()
    assert bell.wait(timeout=LONG) is False
    thread = waiting(bell, found)
    thread.join(0.1)
    assert not found  # no ring is left
    bell.set()
    thread.join(30)


def test_looks_rest_between_two_rings():
    bell = Bell(rest=LONG)
    found: list[bool] = []
    bell.ring()
    bell.wait(timeout=LONG)
    bell.ring()
    thread = waiting(bell, found)
    thread.join(0.1)
    assert not found
    bell.set()
    thread.join(30)


def test_a_stop_ends_the_wait_and_the_rest_at_once():
    bell = Bell(rest=LONG)
    found: list[bool] = []
    bell.ring()
    bell.wait(timeout=LONG)
    thread = waiting(bell, found)
    bell.ring()  # it now rests for an hour
    bell.set()
    thread.join(30)
    assert found == [True]
    assert bell.wait(timeout=LONG) is True


def test_without_a_ring_a_wait_ends_by_itself():
    assert Bell().wait(timeout=0.01) is False


class Looking:
    """The engine's loop, which gives up every time, by an error or because its queue is gone."""

    def __init__(self, error: Exception | None) -> None:
        self.error, self.begun = error, 0
        self.thrice = threading.Event()

    def __call__(self, bell: Bell, engine: Any, queue: Any) -> None:
        self.begun += 1
        if self.begun == 3:
            self.thrice.set()
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [None, RuntimeError("broken")])
async def test_a_loop_that_gives_up_rests_and_begins_again(
    error: Exception | None, monkeypatch: pytest.MonkeyPatch
):
    looking = Looking(error)
    monkeypatch.setattr(queues, "queue_worker_thread", looking)
    monkeypatch.setattr(queues, "_get_dbos_instance", lambda: None)
    monkeypatch.setattr(queues, "AGAIN_SECONDS", LONG)
    bells = Bells()
    queue: Any = SimpleNamespace(name="jobs")
    async with bells.taking([queue]):
        # It was rung once at its start; with no other ring it rests for an hour.
        assert not await asyncio.to_thread(looking.thrice.wait, 0.2)
        bells.ring()
        assert await asyncio.to_thread(looking.thrice.wait, 30)
    assert looking.begun == 3
