"""Lines break where readers of a language expect it, however narrow they are."""

import pytest

from services.generator.media.breaking import broken, language_of, width

JAPANESE = "「きょうは、とてもいい天気ですね。」と彼女は言った。ローマで、ピッツァを食べよう！"
KOREAN = "오늘은 날씨가 아주 좋아서 우리는 모두 함께 바다로 갔습니다."
ARABIC = "مرحبا يا أصدقائي، اليوم الطقس جميل جدا وسنذهب معا إلى البحر؛ هل تأتي معنا؟"
THAI = "พระอาทิตย์ตกเหนือทะเลที่นี่เป็นที่นิยมและน้ำใสมาก"
CHINESE = "他说：“今天的天气非常好（真的！），我们一起去海边看日出吧。”"

# What may not begin and what may not end a line: JIS X 4051, GB/T 15834, and what Thai cannot part.
CLOSING = set("、。，：！？）」”ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ،؛؟.")
OPENING = set("（「“")
THAI_BEHIND, THAI_BEFORE = set("ะาำๆฯ"), set("เแโใไ")


@pytest.mark.parametrize("columns", range(8, 44, 3))
@pytest.mark.parametrize(
    ("code", "text"),
    [("ja", JAPANESE), ("ko", KOREAN), ("ar", ARABIC), ("th", THAI), ("zh", CHINESE)],
)
def test_no_line_begins_or_ends_with_what_may_not_be_there(
    code: str, text: str, columns: int
) -> None:
    lines = broken(text, columns, language_of(code, text))
    assert "".join(lines).replace(" ", "") == text.replace(" ", ""), "nothing is lost"
    assert all(width(line) <= columns for line in lines)
    for line in lines:
        assert line[0] not in CLOSING | THAI_BEHIND, lines
        assert line[-1] not in OPENING | THAI_BEFORE, lines
        assert width(line[0]) > 0, "no mark is parted from its letter"


@pytest.mark.parametrize(("code", "text"), [("ko", KOREAN), ("ar", ARABIC)])
@pytest.mark.parametrize("columns", [16, 24, 42])
def test_words_of_scripts_with_spaces_stay_whole(code: str, text: str, columns: int) -> None:
    lines = broken(text, columns, language_of(code, text))
    assert [word for line in lines for word in line.split()] == text.split()


@pytest.mark.parametrize(
    ("code", "text", "columns", "lines"),
    [
        ("ja", "今日は天気がいいので、海へ行きましょう。", 26, 2),
        ("ko", KOREAN, 32, 2),
        ("ar", "مرحبا يا أصدقائي، اليوم الطقس جميل جدا", 24, 2),
    ],
)
def test_a_line_breaks_behind_a_comma_where_it_can(
    code: str, text: str, columns: int, lines: int
) -> None:
    found = broken(text, columns, language_of(code, text))
    assert len(found) == lines
    if "、" in text or "،" in text:
        assert found[0].endswith(("、", "،"))


def test_latin_words_within_japanese_stay_whole() -> None:
    lines = broken("彼女はNairobi国立公園で10頭のキリンを見た", 12, language_of("ja", ""))
    assert any("Nairobi" in line for line in lines)
    assert any("10" in line for line in lines)


@pytest.mark.parametrize("text", ["abcd\u0301,efgh", "abcde\u0301\u0323,efgh", "abcd,\u0301efgh"])
def test_a_word_that_is_cut_keeps_its_marks_on_their_letters(text: str) -> None:
    """A comma may not begin a line: what takes it along is a letter with all its marks."""
    for columns in range(2, 6):
        lines = broken(text, columns, language_of("en", text))
        assert "".join(lines) == text
        assert all(0 < width(line) <= columns and width(line[0]) for line in lines), lines
