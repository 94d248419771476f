import asyncio
from typing import Any

import pytest

from services.generator.usecases.wheel import Wheel
from tests.fakes.waiting import until


def wheel(rate: float = 1000.0) -> tuple[Wheel, list[str]]:
    told: list[str] = []
    return Wheel(rate, told.append, scatter=lambda low, high: 1.0), told


async def test_what_is_due_first_comes_back_first_and_each_once() -> None:
    turning, told = wheel()
    for name, seconds in (("c", 0.06), ("a", 0.01), ("b", 0.03)):
        turning.put(name, seconds)
    await until(lambda: len(told) == 3)
    assert (told, len(turning)) == (["a", "b", "c"], 0)


async def test_a_crowd_is_spread_out() -> None:
    turning, told = wheel(rate=100)
    begun = asyncio.get_running_loop().time()
    for number in range(51):
        turning.put(f"{number:02}", 0.0)
    await until(lambda: len(told) == 51)
    assert asyncio.get_running_loop().time() - begun >= 0.29
    assert told == sorted(told)


async def test_who_is_hurried_goes_before_all_others() -> None:
    turning, told = wheel(rate=20)
    for number in range(20):
        turning.put(f"crowd-{number}", 0.0)
    turning.put("late", 3600.0)
    turning.hurry("late")
    turning.hurry("nobody")
    await until(lambda: "late" in told)
    assert told[0] == "late"
    turning.stop()


async def test_who_was_taken_out_or_put_anew_does_not_come_back_before_its_time() -> None:
    turning, told = wheel()
    turning.put("gone", 0.01)
    turning.put("later", 0.01)
    turning.take("gone")
    turning.take("nobody")
    turning.put("later", 3600.0)
    turning.put("seen", 0.05)
    await until(lambda: bool(told))
    assert (told, len(turning)) == (["seen"], 1)


async def test_what_is_put_for_one_moment_comes_back_scattered_around_it() -> None:
    turning = Wheel(1000.0, lambda _: None)
    begun = asyncio.get_running_loop().time()
    for number in range(200):
        turning.put(f"{number}", 1000.0)
    waits = [due - begun for due in turning._due.values()]
    assert 899.0 < min(waits) < 950.0
    assert 1050.0 < max(waits) < 1102.0
    turning.stop()


async def test_a_wheel_that_was_stopped_stands_still() -> None:
    turning, told = wheel()
    turning.put("a", 0.01)
    turning.stop()
    await asyncio.sleep(0.05)
    assert (told, len(turning)) == ([], 0)


async def test_what_comes_back_is_put_again_while_it_turns() -> None:
    told: list[str] = []

    def again(name: str) -> None:
        told.append(name)
        if len(told) < 5:
            turning.put(name, 0.0)

    turning = Wheel(1000, again)
    turning.put("a", 0.0)
    await until(lambda: len(told) == 5)
    assert told == ["a"] * 5


async def test_the_alarm_is_set_anew_only_where_another_one_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, alarms = asyncio.get_running_loop(), list[float]()
    call_at = loop.call_at

    def counted(moment: float, *rest: Any, **more: Any) -> asyncio.TimerHandle:
        alarms.append(moment)
        return call_at(moment, *rest, **more)

    monkeypatch.setattr(loop, "call_at", counted)
    turning, told = wheel()
    turning.put("first", 60.0)
    for number in range(100):
        turning.put(f"{number}", 61.0 + number)
    turning.take("50")
    turning.put("7", 500.0)
    assert len(alarms) == 1
    turning.put("sooner", 30.0)
    turning.take("sooner")
    assert (len(alarms), alarms[2]) == (3, alarms[0])
    turning.hurry("50")  # was taken out
    turning.hurry("99")
    await until(lambda: told == ["99"])
    assert (alarms.count(0.0), alarms.count(alarms[0])) == (1, 3)
    turning.stop()
