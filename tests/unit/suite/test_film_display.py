"""The table of a film while it is made, as a terminal shows it."""

import io
import time
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from rich.console import Console

from reelmesh.orchestrator.v1.film_service_pb2 import (
    Batch,
    Film,
    FilmTask,
    Likeness,
    PlanFilmResponse,
)
from services.suite.commands.film_display import Reel, film_table, show_film, show_plan
from services.suite.commands.session import out


def task(kind: str, shot: str = "", **facts: Any) -> FilmTask:
    fields = {"state": "waiting", **facts}
    return FilmTask(id=f"{shot}.{kind}", type=kind, shot=shot, **fields)


def film(*tasks: FilmTask, **facts: Any) -> Film:
    shots = dict.fromkeys(each.shot for each in tasks if each.shot)
    fields = {"state": Film.STATE_RUNNING, "title": "The ferry", "shots": list(shots), **facts}
    return Film(name="films/f1", tasks=tasks, **fields)


def shown(found: Film) -> list[str]:
    console = Console(file=io.StringIO(), width=110, force_terminal=False)
    console.print(film_table(found))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_every_shot_has_a_line_with_what_its_parts_are_at_and_cost() -> None:
    dear = Money(currency_code="USD", nanos=50_000_000)
    lines = shown(
        film(
            task("animation", "s1", state="running", progress_percent=40),
            task("audio", "s1", state="succeeded", cost=dear),
            task("animation", "s2", state="succeeded", placeholder=True),
            task("composition"),
            progress_percent=37,
            cost=dear,
            budget_limit=Money(currency_code="USD", units=2),
        )
    )
    assert lines[0] == "The ferry  running  37 %  $0.05 of $2.00"
    assert lines[1].split() == ["shot", "clip", "voice", "cost"]
    assert lines[2].split() == ["s1", "40", "%", "succeeded", "$0.05"]
    assert lines[3].split() == ["s2", "placeholder"]
    assert lines[4].split() == ["composition", "waiting"]


def test_found_and_larger_clips_have_their_columns() -> None:
    lines = shown(
        film(task("retrieval", "s1", state="succeeded"), task("upscale", "s1", state="failed"))
    )
    assert lines[1].split() == ["shot", "clip", "larger", "cost"]
    assert lines[2].split() == ["s1", "succeeded", "failed"]


@pytest.mark.parametrize(("seconds", "told"), [
    (90.2, "The ferry  running  37 %  $0.00  about 90 s left"),
    (0.0, "The ferry  running  37 %  $0.00"),
    (-5.0, "The ferry  running  37 %  $0.00"),
])  # fmt: skip
def test_the_time_that_is_left_is_told_until_it_has_passed(
    monkeypatch: pytest.MonkeyPatch, seconds: float, told: str
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_790_000_000.0)
    eta = Timestamp()
    eta.FromNanoseconds(round((1_790_000_000 + seconds) * 1e9))
    assert shown(film(task("composition"), progress_percent=37, eta=eta))[0] == told


def test_what_can_be_looked_at_already_stays_in_sight() -> None:
    console = Console(file=io.StringIO(), width=110, force_terminal=True)
    with Reel(console) as reel:
        reel.show(film(task("animation", "s1"), preview_url="http://here/first"))
        reel.show(film(task("animation", "s1"), progress_percent=50))
    assert isinstance(console.file, io.StringIO)
    assert "http://here/first" in console.file.getvalue().rpartition("50 %")[2]


def test_how_alike_a_still_is_to_its_character_is_told(capsys: Any) -> None:
    seen = Likeness(character="Emma", score=0.8123, tries=2)
    unseen = Likeness(character="Tom", not_measured="no model is installed", tries=1)
    show_film(film(task("image", "s1", likeness=seen), task("image", "s2", likeness=unseen)))
    told = capsys.readouterr().out
    assert "likeness s1.image to Emma: 0.81, the best of 2" in told
    assert "likeness s2.image to Tom: not measured, no model is installed" in told


def test_the_worst_case_of_a_plan_stands_beside_its_price(capsys: Any) -> None:
    price, worst = (Money(currency_code="USD", nanos=n * 10**7) for n in (5, 7))
    show_plan(PlanFilmResponse(min_price=price, max_price=price, worst_price=worst))
    assert "worst $0.07" in capsys.readouterr().out
    show_plan(PlanFilmResponse(min_price=price, max_price=price, worst_price=price))
    assert "worst" not in capsys.readouterr().out


def dollars(nanos: int) -> Money:
    return Money(currency_code="USD", nanos=nanos)


def test_what_a_cheaper_model_for_the_background_spares_is_told_by_plan_and_film() -> None:
    spared = dollars(870_000_000)
    prices = {"cost": dollars(50_000_000), "usual_price": dollars(920_000_000)}
    clip = task("animation", "s1", model="minimax", **prices)
    plan = PlanFilmResponse(
        tasks=[clip],
        batches=[Batch(tasks=[clip.id])],
        min_price=clip.cost,
        max_price=clip.cost,
        background_savings=spared,
    )
    with out.capture() as printed:
        show_plan(plan)
        show_film(film(clip, background_savings=spared))
    lines = [line.split() for line in printed.get().splitlines()]
    assert ["s1.animation", "minimax", "$0.05", "not", "$0.92"] in lines
    words = ["by", "cheaper", "models", "for", "shots", "in", "the", "background"]
    assert [line for line in lines if line[:1] == ["less"]] == [["less", "$0.87", *words]] * 2


def test_without_such_shots_nothing_is_said_of_them() -> None:
    with out.capture() as printed:
        show_plan(PlanFilmResponse())
        show_film(film())
    assert "background" not in printed.get()
