"""Alike asks that wait together are made in one run."""

import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.generator.engines.local.batching import Batcher


class Tensor:
    """Stands for what a run has put into memory."""


class Forwards:
    """Makes asks upper case, once it is let go; counts its runs."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.waiting = threading.Event()
        self.runs: list[tuple[str, ...]] = []

    def lead(self, closed):
        self.waiting.set()
        self.go.wait(30)
        asks = closed()
        self.runs.append(tuple(asks))
        return [ask.upper() for ask in asks]


def joined(batcher: Batcher[str, str], key: str, members: int) -> None:
    while batcher.size(key) < members:
        time.sleep(0.002)


def test_four_alike_are_one_forward_and_each_gets_its_own() -> None:
    batcher, model = Batcher[str, str](), Forwards()
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(batcher.made, "k", "a", model.lead, most=4)
        assert model.waiting.wait(30)
        rest = [threads.submit(batcher.made, "k", ask, model.lead, most=4) for ask in "bcd"]
        joined(batcher, "k", 4)
        model.go.set()
        assert [each.result(30) for each in (first, *rest)] == ["A", "B", "C", "D"]
    assert len(model.runs) == 1


def test_the_fifth_begins_another_run() -> None:
    batcher, model = Batcher[str, str](), Forwards()
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(batcher.made, "k", ask, model.lead, most=2) for ask in "abcde"]
        model.go.set()
        assert {each.result(30) for each in asked} == set("ABCDE")
    assert max(map(len, model.runs)) <= 2
    assert sum(map(len, model.runs)) == 5


def test_different_ones_do_not_share_a_run() -> None:
    batcher, model = Batcher[str, str](), Forwards()
    model.go.set()
    assert batcher.made("x", "a", model.lead, most=4) == "A"
    assert batcher.made("y", "b", model.lead, most=4) == "B"
    assert model.runs == [("a",), ("b",)]


def test_a_run_that_fails_fails_for_all_and_the_next_begins_anew() -> None:
    batcher, kept = Batcher[str, str](), []

    def broken(closed):
        tensor = Tensor()
        kept.append(weakref.ref(tensor))
        closed()
        raise MemoryError

    with pytest.raises(MemoryError) as caught:
        batcher.made("k", "a", broken, most=4)
    assert caught.value.__traceback__ is not None
    assert kept[0]() is None  # what filled the memory is gone while the error is still in hand
    model = Forwards()
    model.go.set()
    assert batcher.made("k", "b", model.lead, most=4) == "B"
