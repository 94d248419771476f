"""Pictures that do not look like their words lower the score; what cannot be told is told too."""

from pathlib import Path

import pytest

from services.generator.domain.facts import Finding, Quality
from services.generator.engines.looked_at import Shown, compared, judged, looked_at

FAULTLESS = Quality(score=1.0)
BLACK = Finding(kind="black", penalty=0.3, explanation="black")


def shown(number: int, seconds: float = 5.0) -> Shown:
    return Shown(
        number=number,
        picture=f"/stills/{number}.png",
        words=f"words {number}",
        start=5.0 * number,
        seconds=seconds,
    )


class Eyes:
    """Tells these cosines in order; keeps what it was asked."""

    def __init__(self, *cosines: float | None) -> None:
        self.cosines, self.asked = list(cosines), list[tuple[str, str, str]]()

    async def likeness(self, identifier: str, picture: Path, words: str) -> float | None:
        self.asked.append((identifier, str(picture), words))
        return self.cosines.pop(0)

    async def resemblance(self, identifier: str, picture: Path, beside: Path) -> float | None:
        self.asked.append((identifier, str(picture), str(beside)))
        return self.cosines.pop(0)


async def test_pictures_of_their_words_take_nothing_off() -> None:
    eyes = Eyes(0.3, 0.5)
    found = await looked_at(eyes, "g1", [shown(0), shown(1)], FAULTLESS)
    assert (found.score, found.findings, found.not_measured) == (1.0, (), ())
    assert found.prompt_match == pytest.approx((0.75 + 1.0) / 2)
    assert eyes.asked == [
        ("g1-seen-0", "/stills/0.png", "words 0"),
        ("g1-seen-1", "/stills/1.png", "words 1"),
    ]


async def test_a_picture_of_something_else_lowers_the_score_below_the_gate_and_says_which() -> None:
    found = await looked_at(Eyes(0.05), "g1", [shown(2)], Quality(score=0.9, findings=(BLACK,)))
    assert found.score == pytest.approx(0.5)
    assert found.prompt_match == pytest.approx(0.125)
    poor = found.findings[0]
    assert (poor.kind, poor.start_seconds, poor.duration_seconds) == ("off_prompt", 10.0, 5.0)
    assert poor.explanation == "clip 3 looks little like its words (0.12 of 1)"
    assert found.findings[1] == BLACK


def test_a_poor_clip_counts_by_its_share_of_the_film() -> None:
    found = judged(FAULTLESS, [(shown(0, 15.0), 1.0), (shown(1, 5.0), 0.1)])
    assert found.score == pytest.approx(1.0 - 0.4 * 0.25)
    short = judged(FAULTLESS, [(shown(0, 99.0), 1.0), (shown(1, 1.0), 0.1)])
    assert short.score == pytest.approx(1.0 - 0.4 * 0.1), "however short it is it is told"


@pytest.mark.parametrize(("cosine", "match"), [(-0.3, 0.0), (0.0, 0.0), (0.2, 0.5), (0.9, 1.0)])
async def test_a_cosine_is_told_from_0_to_1(cosine: float, match: float) -> None:
    found = await looked_at(Eyes(cosine), "g1", [shown(0)], FAULTLESS)
    assert found.prompt_match == pytest.approx(match)
    assert bool(found.findings) == (match < 0.5)


async def test_without_a_model_it_is_told_as_not_measured_and_nothing_is_made_up() -> None:
    found = await looked_at(None, "g1", [], FAULTLESS)
    assert found == Quality(score=1.0, not_measured=("prompt_match",))


async def test_what_it_could_not_tell_of_some_is_said_beside_what_it_could() -> None:
    found = await looked_at(Eyes(0.3, None), "g1", [shown(0), shown(1)], FAULTLESS)
    assert (found.prompt_match, found.not_measured) == (0.75, ("prompt_match",))
    none = await looked_at(Eyes(None), "g1", [shown(0)], FAULTLESS)
    assert (none.prompt_match, none.not_measured, none.score) == (None, ("prompt_match",), 1.0)


@pytest.mark.parametrize(("cosine", "likeness"), [(0.81236, 0.8124), (1.2, 1.0), (-0.2, 0.0)])
async def test_a_picture_is_told_beside_another_and_nothing_is_taken_off(
    cosine: float, likeness: float
) -> None:
    eyes = Eyes(cosine)
    found = await compared(eyes, "g1", "/work/seen.png", "/work/alike-0", FAULTLESS)
    assert found == Quality(score=1.0, likeness=likeness)
    assert eyes.asked == [("g1-beside", "/work/seen.png", "/work/alike-0")]


@pytest.mark.parametrize(
    ("eyes", "seen"), [(None, "/a.png"), (Eyes(None), "/a.png"), (Eyes(0.9), "")]
)
async def test_likeness_that_nobody_can_tell_is_said_and_not_made_up(
    eyes: Eyes | None, seen: str
) -> None:
    found = await compared(eyes, "g1", seen, "/b.png", FAULTLESS)
    assert found == Quality(score=1.0, not_measured=("likeness",))
