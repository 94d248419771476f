"""Scripts: scenes exact, speakers right, and nothing that is written breaks it."""

import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.adapters.scripts.library import ScriptFiles
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.script import Breakdown, BreakDownRequest, Format
from services.prompt.domain.shooting import location
from services.prompt.usecases.break_down import BreakDownScript

pytestmark = pytest.mark.timeout(60)

ATTIC = (Path(__file__).parent / "scripts" / "attic.fountain").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def break_down(reader: RulesReader, knowledge: Knowledge) -> BreakDownScript:
    return BreakDownScript(parser=ScriptFiles(), reader=reader, messages=knowledge.messages)


def spoken(breakdown: Breakdown) -> list[tuple[str, str]]:
    return [
        (line.speaker, line.text)
        for scene in breakdown.scenes
        for shot in scene.shots
        for line in shot.dialogue
    ]


async def test_a_screenplay_becomes_scenes_shots_and_characters(
    break_down: BreakDownScript,
) -> None:
    found = await break_down(BreakDownRequest(script=ATTIC))
    assert found.title == "The Attic"
    assert found.language == "en"
    assert [scene.heading for scene in found.scenes] == [
        "INT. ATTIC - NIGHT",
        "EXT. NAIROBI STREET - DAY",
        "INT. HOSPITAL - DAWN",
    ]
    assert [s.landscape for s in found.scenes] == ["attic", "street", "hospital"]
    assert [s.time_of_day for s in found.scenes] == ["night", "day", "dawn"]
    assert spoken(found) == [
        ("Emma Jones", "Who wrote this?"),
        ("Tom", "Don't be afraid, Emma."),
        ("Emma Jones", "Tom! You nearly killed me."),
        ("Tom", "I said I'd wait."),
        ("Wanjiku", "Karibu, Emma!"),
        ("Emma Jones", "Asante."),
        ("Tom", "It is over."),
    ]
    attic = found.scenes[0].shots
    assert attic[0].shot_type == "wide"
    assert attic[1].shot_type == "close_up"
    assert attic[1].characters == ("Emma Jones",)
    assert attic[1].dialogue[0].cues == ("whispering", "gasps")
    assert attic[2].dialogue[2].cues == ("sighs",)
    street, hospital = found.scenes[1].shots, found.scenes[2].shots
    assert street[0].shot_type == "aerial"
    assert hospital[0].camera_motion == "tracking"
    numbers = [shot.number for scene in found.scenes for shot in scene.shots]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_character_sheets_merge_aliases(break_down: BreakDownScript) -> None:
    found = await break_down(BreakDownRequest(script=ATTIC))
    sheet = {c.name: c for c in found.characters}
    assert set(sheet) == {"Emma Jones", "Tom", "Wanjiku"}
    assert sheet["Emma Jones"].lines == 3
    assert "EMMA" in sheet["Emma Jones"].aliases
    assert sheet["Emma Jones"].description == "30s, a tired nurse"
    assert sheet["Tom"].description == "an old caretaker"


SPEAKERS = {
    "markdown": (
        "# My Film\n\n## INT. KITCHEN - DAY\n\nSteam rises.\n\n**MAMA:** Njoo ule.\n\n"
        "**JUMA:** Ninakuja!\n\n## EXT. GARDEN - NIGHT\n\nCrickets.\n\n**JUMA:** Kimya.\n",
        2,
        ["Mama", "Juma", "Juma"],
    ),
    "colons": (
        "Scene 1: A market\n\nAmina: How much is it?\nOtieno: Fifty.\nAmina: Too much.\n"
        "Otieno: Forty then.\n",
        1,
        ["Amina", "Otieno", "Amina", "Otieno"],
    ),
    "cyrillic": (
        "ИНТ. КОМНАТА - НОЧЬ\n\nТемно.\n\nИВАН\nПривет, Анна.\n\nАННА\nТы пришёл.\n\n"
        "НАТ. УЛИЦА - ДЕНЬ\n\nИВАН\nИдём.\n",
        2,
        ["Иван", "Анна", "Иван"],
    ),
    "chinese": (
        "场景一\n\n夜晚的街道。\n\n李雷：你好。\n韩梅梅：你来了。\n李雷：走吧。\n",
        1,
        ["李雷", "韩梅梅", "李雷"],
    ),
    "arabic": (
        "المشهد 1\n\nالليل.\n\nأحمد: مرحبا\nليلى: أهلا\nأحمد: كيف حالك\nليلى: بخير\n",
        1,
        ["أحمد", "ليلى", "أحمد", "ليلى"],
    ),
    "swahili": (
        "TUKIO LA 1 - SOKONI, ASUBUHI\n\nWatu wengi.\n\nWANJIKU\nKaribu.\n\nKAMAU\nAsante.\n",
        1,
        ["Wanjiku", "Kamau"],
    ),
    "crlf": (
        ATTIC.replace("\n", "\r\n"),
        3,
        ["Emma Jones", "Tom", "Emma Jones", "Tom", "Wanjiku", "Emma Jones", "Tom"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SPEAKERS))
async def test_every_way_of_writing_keeps_its_scenes_and_speakers(
    name: str, break_down: BreakDownScript
) -> None:
    script, scenes, speakers = SPEAKERS[name]
    found = await break_down(BreakDownRequest(script=script))
    assert len(found.scenes) == scenes
    assert [speaker for speaker, _ in spoken(found)] == speakers
    assert all(shot.duration_seconds > 0 for scene in found.scenes for shot in scene.shots)


async def test_prose_gives_a_line_only_to_a_speaker_who_is_named(
    break_down: BreakDownScript,
) -> None:
    script = (
        "Chapter 1\n\nRain fell on the village.\n\n"
        'Emma opened the door. "Come in," said Emma. "Who are you?"\n\n'
        'Juma laughed. Juma said, "A friend."\n\nChapter 2\n\nMorning came.'
    )
    found = await break_down(BreakDownRequest(script=script))
    assert [scene.heading for scene in found.scenes] == ["Chapter 1", "Chapter 2"]
    assert spoken(found) == [("Emma", "Come in"), ("Juma", "A friend.")]
    assert '"Who are you?"' in found.scenes[0].shots[1].action


async def test_a_text_without_headings_is_one_scene_with_a_warning(
    break_down: BreakDownScript,
) -> None:
    found = await break_down(BreakDownRequest(script="A cat sleeps.\n\nIt wakes."))
    assert len(found.scenes) == 1
    assert len(found.scenes[0].shots) == 2
    assert found.warnings


async def test_a_shot_list_in_json_is_taken_as_it_is(break_down: BreakDownScript) -> None:
    shots = [
        {
            "shot_id": "001",
            "description": "Emma in the attic",
            "characters": ["emma"],
            "landscape": ["attic", "victorian"],
            "shot_type": "close-up",
            "mood": "tense",
            "time_of_day": "night",
            "duration": 4,
            "dialogue": "Who is there? [gasps]",
            "lens": "35mm",
        },
        {"scene": 2, "prompt": "A street", "dialogue": [{"speaker": "Tom", "text": "Go"}]},
    ]
    found = await break_down(BreakDownRequest(script=json.dumps({"title": "T", "shots": shots})))
    first, second = found.scenes[0].shots[0], found.scenes[1].shots[0]
    assert (first.shot_type, first.duration_seconds, first.mood) == ("close_up", 4, "tense")
    assert first.dialogue[0].speaker == "emma"
    assert first.dialogue[0].cues == ("gasps",)
    assert first.landscape == "attic, victorian"
    assert second.dialogue[0].speaker == "Tom"
    assert found.warnings == ("These keys of shot 1 were not understood: lens.",)


@pytest.mark.parametrize(
    "script",
    [
        "[",
        "{}",
        '{"shots": []}',
        '[{"duration": -1}]',
        '[{"characters": 3}]',
        "[[[[",
        "[" * 100_000,
    ],
)
async def test_a_broken_shot_list_is_refused_by_name(
    script: str, break_down: BreakDownScript
) -> None:
    with pytest.raises(InvalidArgument, match=r"script|parameters"):
        await break_down(BreakDownRequest(script=script))


@pytest.mark.parametrize(
    "request_",
    [{"script": " "}, {"script": "x" * 2_000_001}, {"script": "a", "format": "final draft"}],
)
def test_a_request_that_can_never_work_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        BreakDownRequest(**request_)


def feature(pages: int) -> str:
    """About 55 lines a page."""
    page = (
        "INT. ROOM {n} - NIGHT\n\n"
        + "EMMA looks at the city through the window, slowly, without a word.\n\n"
        "EMMA\n(quietly)\nI never said that I would stay here for ever, Tom.\n\n"
        "TOM (O.S.)\nYou did. [laughs] Twice.\n\n" * 5
    )
    return "Title: Long\n\n" + "".join(page.replace("{n}", str(n)) for n in range(pages))


async def test_a_feature_of_120_pages_takes_less_than_two_seconds(
    break_down: BreakDownScript, capsys: pytest.CaptureFixture[str]
) -> None:
    script = feature(120)
    started = time.process_time()
    found = await break_down(BreakDownRequest(script=script))
    took = time.process_time() - started
    shots = sum(len(scene.shots) for scene in found.scenes)
    with capsys.disabled():
        print(f"\n120 pages, {len(script)} characters, {shots} shots: {took:.2f} s")
    assert len(found.scenes) == 120
    assert took < 2


@pytest.mark.timeout(120)
async def test_memory_grows_with_the_script_and_no_faster(break_down: BreakDownScript) -> None:
    peaks = []
    for pages in (20, 120):
        script = feature(pages)
        tracemalloc.start()
        await break_down(BreakDownRequest(script=script))
        peaks.append(tracemalloc.get_traced_memory()[1] / len(script))
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1, max_size=800).filter(str.strip))
def test_whatever_is_written_breaks_nothing(text: str) -> None:
    files = ScriptFiles()
    for form in (Format.FOUNTAIN, Format.PROSE):
        assert files.parse(text, form).elements is not None


LINES = st.sampled_from(
    ["INT. ROOM - DAY", "EMMA", "(beat)", "Hello", "", "CUT TO:", "# X", "**TOM:** hi", "[[note]]",
     "/*", "*/", "= syn", "> centered <", "~la", "@x", ".y", "===", "Title: z", "ИВАН", "李雷：好"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=40))
def test_any_order_of_lines_breaks_nothing(lines: list[str]) -> None:
    assert ScriptFiles().parse("\n".join(lines), Format.FOUNTAIN) is not None


@pytest.mark.parametrize(
    ("heading", "place"),
    [
        ("INT. ATTIC - NIGHT", "attic"),
        ("INT./EXT. MATATU - MOVING - DAY", "matatu"),
        ("EXT/INT MATATU - DAY", "matatu"),
        ("I/E CAR", "car"),
        ("Scene 1: Control room, night", "control room"),
        ("SCENE IV. A heath", "a heath"),
        ("Onyesho 2: Soko, usiku", "soko"),
        ("NDANI. NYUMBA - USIKU", "nyumba"),
        ("EXTERIOR OF A HOUSE", "exterior of a house"),
        ("The scene of the crime", "the scene of the crime"),
        ("", ""),
    ],
)
def test_the_place_of_a_heading_is_told_without_its_marks(heading: str, place: str) -> None:
    assert location(heading) == place
