"""Plays of the public domain, screenplays as they come, and scripts of 300 pages."""

import asyncio
import threading
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.adapters.scripts.library import ScriptFiles
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.ports import AbandonedError, Proceed, go_on
from services.prompt.domain.prose import NO_LABELS, Labels
from services.prompt.domain.script import Breakdown, BreakDownRequest, Format, ParsedScript
from services.prompt.usecases.break_down import BreakDownScript

pytestmark = pytest.mark.timeout(60)

FOLDER = Path(__file__).parent / "scripts"
EXPECTED: dict[str, Any] = yaml.safe_load((FOLDER / "expected.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def break_down(reader: RulesReader, knowledge: Knowledge) -> BreakDownScript:
    return BreakDownScript(parser=ScriptFiles(), reader=reader, messages=knowledge.messages)


def script(name: str) -> BreakDownRequest:
    return BreakDownRequest(script=(FOLDER / name).read_text(encoding="utf-8"))


def speakers(found: Breakdown) -> list[str]:
    shots = [shot for scene in found.scenes for shot in scene.shots]
    return [line.speaker for shot in shots for line in shot.dialogue]


async def test_scenes_are_exact_and_speakers_right(
    break_down: BreakDownScript, capsys: pytest.CaptureFixture[str]
) -> None:
    """At first sight the three unseen ones had 24 of 25 speakers, and scenes exact in one."""
    right = total = 0
    wrong: list[str] = []
    for name, truth in EXPECTED.items():
        found = await break_down(script(name))
        told = speakers(found)
        pairs = SequenceMatcher(None, truth["speakers"], told, autojunk=False)
        right += sum(block.size for block in pairs.get_matching_blocks())
        total += max(len(truth["speakers"]), len(told))
        if [scene.heading for scene in found.scenes] != truth["scenes"]:
            wrong.append(f"{name}: {[scene.heading for scene in found.scenes]}")
    with capsys.disabled():
        print(
            f"\nscreenplays: {len(EXPECTED)} scripts, scenes exact in "
            f"{len(EXPECTED) - len(wrong)}, speakers {right}/{total} = {right / total:.1%}"
        )
    assert wrong == []
    assert right >= 0.95 * total


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        (
            "alice.txt",
            "Alice, March Hare, March Hare, Alice, March Hare, Alice, Alice, Hatter, Alice, Alice",
        ),
        (
            "holmes.txt",
            "Holmes, Watson, Watson, Holmes, Holmes, Watson, Holmes, Watson, Holmes",
        ),
    ],
)
async def test_prose_names_no_speaker_whom_the_words_beside_do_not_name(
    name: str, truth: str, break_down: BreakDownScript
) -> None:
    assert speakers(await break_down(script(name))) == truth.split(", ")


async def test_titles_come_from_the_page_that_has_them(break_down: BreakDownScript) -> None:
    names = ("ferry.fountain", "indented.txt", "macbeth.txt", "notes.md")
    titles = [(await break_down(script(name))).title for name in names]
    assert titles == ["The Last Ferry", "The Long Night", "Macbeth", "Night Shift"]


async def test_the_ferry_has_its_people_their_looks_and_their_cues(
    break_down: BreakDownScript,
) -> None:
    found = await break_down(script("ferry.fountain"))
    sheet = {character.name: character for character in found.characters}
    assert set(sheet["Captain Salim"].aliases) == {"CAPTAIN SALIM", "SALIM"}
    assert sheet["Achieng"].description == "28, a ticket clerk with a cracked phone"
    assert "Mama Achieng" in sheet  # her mother, not herself
    shots = [shot for scene in found.scenes for shot in scene.shots]
    lines = [line for shot in shots for line in shot.dialogue]
    cues = {line.text: line.cues for line in lines if line.cues}
    assert cues["Five minutes! I said five minutes."] == ("shouting", "laughs")
    assert cues["I am old. I forget."] == ("sighs",)
    everything = str(found)
    assert "not in the film" not in everything
    assert "should speak Swahili" not in everything
    assert "Sina makosa" in everything


PAGES = [
    "INT. КОМНАТА {n} - NIGHT\n\n" + "ИВАН\nЯ никогда не говорил, что останусь здесь.\n\n" * 12,
    "المشهد {n}\n\n" + "أحمد: لم أقل أبدا إنني سأبقى هنا\n\nليلى: بلى قلت ذلك\n\n" * 6,
    "场景{n}\n\n" + "李雷：我从来没有说过我会留在这里。\n\n韩梅梅：你说过。\n\n" * 8,
    "## INT. ROOM {n} - DAY\n\n" + "**EMMA:** I never said *that*. [laughs]\n\n" * 12,
    "TUKIO LA {n} - SOKONI\n\n" + "WANJIKU\n(kwa upole)\nSikusema nitakaa hapa milele.\n\n" * 10,
    "EXT. FIELD {n} - DAWN\n\n" + "EMMA looks at the hills.\n\nTOM (O.S.)\nYou did. Twice.\n\n" * 7,
]


async def test_three_hundred_pages_in_six_ways_of_writing_keep_their_scenes(
    break_down: BreakDownScript,
) -> None:
    text = "".join(PAGES[n % 6].replace("{n}", str(n)) for n in range(300))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticking = asyncio.create_task(tick())
    found = await break_down(BreakDownRequest(script=text))
    ticking.cancel()
    assert len(found.scenes) == 300
    assert {"Emma", "Tom", "Wanjiku", "Иван", "أحمد", "李雷"} <= set(speakers(found))
    assert ticks > 3  # the loop had others to serve, and did


class EndlessScript(ScriptFiles):
    """Says when it has begun, and goes on until nobody waits."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.given_up = threading.Event()

    def parse(
        self,
        script: str,
        form: Format,
        *,
        labels: Labels = NO_LABELS,
        proceed: Proceed = go_on,
    ) -> ParsedScript:
        self.begun.set()
        try:
            while not self.given_up.wait(0.001):
                proceed()
        except AbandonedError:
            self.given_up.set()
        return super().parse(script, form, labels=labels, proceed=proceed)


async def test_a_caller_who_goes_away_ends_the_reading(
    reader: RulesReader, knowledge: Knowledge
) -> None:
    parser = EndlessScript()
    break_down = BreakDownScript(parser=parser, reader=reader, messages=knowledge.messages)
    task = asyncio.create_task(break_down(BreakDownRequest(script="INT. A - DAY\n\nDust.")))
    assert await asyncio.to_thread(parser.begun.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(parser.given_up.wait, 20)


@pytest.mark.parametrize("form", [Format.FOUNTAIN, Format.PROSE])
def test_the_real_parsers_can_be_given_up_in_the_middle(form: Format) -> None:
    calls = 0

    def proceed() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise AbandonedError

    with pytest.raises(AbandonedError):
        ScriptFiles().parse("EMMA\nHello there.\n\n" * 2_000, form, proceed=proceed)
