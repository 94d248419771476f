import numpy as np
import pytest
from PIL import Image, ImageDraw

from services.generator.media import fonts
from services.generator.media.typography import Setter, draw

SCRIPTS = {
    "latin": "Simba akitembea savana – mvuvi mzee, ça va, žluťoučký",
    "cyrillic": "Старый рыбак выходит в море на рассвете",
    "arabic": "قافلة من الجمال تعبر الصحراء عند غروب الشمس",
    "hebrew": "שקיעה מעל הים",
    "chinese": "一只狗在公园里奔跑，早晨的阳光洒在草地上",
    "japanese": "夜の渋谷、雨が降る",
    "korean": "비 오는 밤의 서울",
    "devanagari": "समुद्र के ऊपर सूर्यास्त",
    "amharic": "ፀሐይ ስትጠልቅ",
    "thai": "พระอาทิตย์ตกเหนือทะเล",
    "emoji": "🦁 roars 🌅",
}


def painted(text: str, box: tuple[int, int] = (600, 120)) -> np.ndarray:
    setter = Setter("")
    block = setter.fit(setter.clean(text), box, largest=36, smallest=10)
    image = Image.new("L", box)
    draw(ImageDraw.Draw(image), block, (0, 0, box[0]), 255)
    return np.asarray(image)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_character_of_a_script_has_a_glyph_in_some_face(script: str) -> None:
    setter = Setter("")
    assert setter.clean(SCRIPTS[script]) == SCRIPTS[script]
    assert setter.missing == set()
    assert painted(SCRIPTS[script]).any()


def test_a_character_that_no_face_has_is_left_out_and_named() -> None:
    setter = Setter("")
    assert setter.clean("lion 𓀀𓁐 sleeps") == "lion sleeps"
    assert setter.missing == {"Egyptian"}


def test_arabic_letters_are_joined_and_hang_from_the_right() -> None:
    joined, apart = painted("بحر"), painted("ب\u200cح\u200cر")
    assert (joined != apart).any()
    columns = np.flatnonzero(joined.any(axis=0))
    assert columns.min() > 450
    assert columns.max() >= 590


def test_a_mixed_line_keeps_latin_readable_inside_arabic() -> None:
    runs = Setter("").runs("مدينة Nairobi ليلا")
    assert [(run.text.strip(), run.rtl) for run in runs] == [
        ("مدينة", True),
        ("Nairobi", False),
        ("ليلا", True),
    ]


@pytest.mark.parametrize(
    "text",
    ["word " * 400, "x" * 2000, "漢" * 1500, "🦁" * 600, "line\nbreak\t\x00\x07 tab " * 100],
)
def test_a_hostile_text_stays_inside_its_box(text: str) -> None:
    setter, box = Setter(""), (300, 90)
    block = setter.fit(setter.clean(text), box, largest=30, smallest=9)
    assert block.truncated
    lines = ["".join(run.text for run in line) for line in block.lines]
    assert lines[-1].endswith("…")
    assert max(setter.width(line, block.size) for line in lines) <= box[0]
    assert (len(lines) - 1) * block.leading + block.size <= box[1]


def test_a_short_text_is_set_large_and_whole() -> None:
    block = Setter("").fit("A lion", (300, 90), largest=30, smallest=9)
    assert (block.size, block.truncated, len(block.lines)) == (30, False, 1)


def test_chinese_and_japanese_use_their_own_shapes() -> None:
    assert fonts.fallbacks("ja") != fonts.fallbacks("zh")
