"""Loaded models: loaded once, lent to one at a time, evicted in order; nothing over the budget."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.common.errors import NoDevice
from services.generator.engines.local.residency import Claim, Residency


class Loads:
    """Counts what is loaded and let go, and what is in memory now."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.freed: list[str] = []

    def of(self, key: str):
        def load() -> str:
            self.loaded.append(key)
            return key

        return load


def claim(key: str, weights: int = 40, scratch: int = 10, aside: int = 0) -> Claim:
    return Claim(key=key, weights=weights, scratch=scratch, aside=aside)


def use(shelf: Residency, loads: Loads, *keys: str, **kwargs: int) -> None:
    for key in keys:
        with shelf.lend(claim(key, **kwargs), loads.of(key)) as model:
            assert model == key


@pytest.fixture
def loads() -> Loads:
    return Loads()


@pytest.fixture
def shelf(loads: Loads) -> Residency:
    return Residency(lambda: 100, let_go=loads.freed.append)


def test_the_second_request_for_a_model_loads_nothing(shelf, loads) -> None:
    use(shelf, loads, "a", "a", "a")
    assert loads.loaded == ["a"]


def test_the_one_used_longest_ago_gives_way(shelf, loads) -> None:
    use(shelf, loads, "a", "b", "a", "c")
    assert loads.freed == ["b"]
    assert shelf.loaded == ("a", "c")
    use(shelf, loads, "d")
    assert loads.freed == ["b", "a"]
    assert shelf.used == 80


def test_what_waits_in_the_machines_memory_gives_way_there(loads) -> None:
    """Nothing of it lies on the card, so that the card's budget would keep it for ever."""
    shelf = Residency(lambda: 100, let_go=loads.freed.append, beside=130)
    use(shelf, loads, "a", "b", weights=0, aside=60)
    use(shelf, loads, "on the card")
    use(shelf, loads, "a", weights=0, aside=60)
    assert loads.freed == []
    use(shelf, loads, "c", weights=0, aside=60)
    assert loads.freed == ["b"]
    assert shelf.loaded == ("on the card", "a", "c")


def test_what_is_too_large_for_the_machines_memory_is_refused_and_not_loaded(loads) -> None:
    shelf = Residency(lambda: 100, pinned=lambda key: key == "a", beside=130)
    use(shelf, loads, "a", weights=0, aside=60)
    use(shelf, loads, "b", weights=0, aside=60)
    with pytest.raises(NoDevice, match="of the machine's own memory"):
        use(shelf, loads, "c", weights=0, aside=80)
    assert loads.loaded == ["a", "b"]
    assert shelf.used == 0
    use(shelf, loads, "a", weights=0, aside=60)
    assert loads.loaded == ["a", "b"]


def test_of_a_pinned_checkpoint_only_the_way_it_was_used_last_stays(loads) -> None:
    """Two ways of loading it, pinned both, would leave the others nothing for ever."""
    shelf = Residency(lambda: 100, pinned=lambda key: key.startswith("a "))
    use(shelf, loads, "a bfloat16 resident", "a bfloat16 fast")
    assert shelf.pinned_beside("b") == 40
    assert shelf.pinned_beside("a") == 0
    use(shelf, loads, "b bfloat16 resident", weights=50)
    assert shelf.loaded == ("a bfloat16 fast", "b bfloat16 resident")


def test_a_pinned_model_stays(loads) -> None:
    shelf = Residency(lambda: 100, let_go=loads.freed.append, pinned=lambda key: key == "a")
    use(shelf, loads, "a", "b", "c", "d")
    assert loads.freed == ["b", "c"]
    with pytest.raises(NoDevice, match="are there for it"):
        use(shelf, loads, "e", weights=60)
    use(shelf, loads, "a")
    assert loads.loaded.count("a") == 1


def test_what_can_never_fit_is_refused_and_nothing_is_evicted_for_it(shelf, loads) -> None:
    use(shelf, loads, "a")
    with pytest.raises(NoDevice, match="huge needs"):
        use(shelf, loads, "huge", weights=91)
    assert (shelf.loaded, loads.freed) == (("a",), [])


def test_a_failed_load_leaves_nothing_behind(shelf, loads) -> None:
    def broken() -> str:
        message = "a torn file"
        raise OSError(message)

    with pytest.raises(OSError, match="torn"), shelf.lend(claim("a"), broken):
        pass
    assert (shelf.used, shelf.loaded) == (0, ())
    use(shelf, loads, "a")
    assert shelf.loaded == ("a",)


def test_an_error_in_a_run_gives_the_model_back(shelf, loads) -> None:
    with pytest.raises(ZeroDivisionError), shelf.lend(claim("a"), loads.of("a")):
        _ = 1 / 0
    use(shelf, loads, "a")
    assert loads.loaded == ["a"]
    assert shelf.used == 40


def test_a_dropped_model_is_loaded_again(shelf, loads) -> None:
    use(shelf, loads, "a")
    shelf.drop("a")
    shelf.drop("never there")
    assert (shelf.used, loads.freed) == (0, ["a"])
    use(shelf, loads, "a")
    assert loads.loaded == ["a", "a"]


def test_whoever_waits_can_leave_the_line(shelf, loads) -> None:
    left = threading.Event()

    class GoneError(Exception):
        pass

    def check() -> None:
        if left.is_set():
            raise GoneError

    with shelf.lend(claim("a"), loads.of("a")), ThreadPoolExecutor() as threads:

        def wait() -> None:
            with shelf.lend(claim("a"), loads.of("a"), check=check):
                pass

        waiting = threads.submit(wait)
        left.set()
        with pytest.raises(GoneError):
            waiting.result(30)
    use(shelf, loads, "b", "a")
    assert loads.loaded == ["a", "b"]


def test_a_large_one_is_not_overtaken_for_ever_by_small_ones(shelf, loads) -> None:
    order: list[str] = []
    hold, begun = threading.Event(), threading.Event()

    def run(key: str, weights: int) -> None:
        with shelf.lend(claim(key, weights), loads.of(key)):
            order.append(key)
            if key == "first":
                begun.set()
                hold.wait(30)

    with ThreadPoolExecutor(8) as threads:
        done = [threads.submit(run, "first", 40)]
        assert begun.wait(30)
        done.append(threads.submit(run, "large", 85))  # only alone
        while not shelf.waiting:
            time.sleep(0.002)
        done += [threads.submit(run, f"small{n}", 10) for n in range(3)]
        while shelf.waiting < 4:
            time.sleep(0.002)
        hold.set()
        for each in done:
            each.result(30)
    assert order[:2] == ["first", "large"]


def test_two_hundred_mixed_requests_over_room_for_two_models(loads) -> None:
    """Three models, eight at once: never over the budget, never two runs of one model."""
    shelf = Residency(lambda: 100, let_go=loads.freed.append)
    busy: dict[str, int] = dict.fromkeys("abc", 0)
    guard, seen, most = threading.Lock(), [], []

    def one(number: int) -> None:
        key = random.Random(number).choice("abc")
        with shelf.lend(claim(key), loads.of(key)) as model:
            with guard:
                busy[key] += 1
                assert busy[key] == 1
                most.append(shelf.used)
            assert model == key
            with guard:
                busy[key] -= 1
                seen.append(number)

    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(one, number) for number in range(200)]:
            each.result(60)
    assert sorted(seen) == list(range(200))
    assert max(most) <= 100
    assert shelf.used == 80
    assert len(loads.loaded) - len(loads.freed) == 2
    assert len(loads.loaded) < 200


def test_many_at_once_load_a_model_once(shelf, loads) -> None:
    with ThreadPoolExecutor(6) as threads:
        for each in [threads.submit(use, shelf, loads, "a") for _ in range(6)]:
            each.result(30)
    assert loads.loaded == ["a"]
