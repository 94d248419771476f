from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.generator.domain.facts import Quality
from services.generator.media.captions import Caption
from services.generator.media.checks import Expected, check
from tests.fakes.clips import GREY, RATE, make_clip, make_sound, tone

pytestmark = pytest.mark.timeout(60)


def looked_at(path: Path, **expected: Any) -> tuple[Quality, list[str]]:
    quality = check(path, "media", Expected(**expected))
    assert all(each.explanation and 0 < each.penalty <= 1 for each in quality.findings)
    lost = sum(each.penalty for each in quality.findings)
    assert quality.score == pytest.approx(max(0.0, 1 - lost), abs=0.001)
    return quality, [each.kind for each in quality.findings]


def moving(folder: Path, **change: Any) -> Path:
    given: dict[str, Any] = {"frames": 96, "sound": tone(4), **change}
    return make_clip(folder / "clip.mp4", **given)


def test_a_good_clip_has_no_finding(tmp_path: Path) -> None:
    quality, kinds = looked_at(moving(tmp_path), seconds=4.0)
    assert (quality.score, kinds) == (1.0, [])


def test_a_black_part_is_found_where_it_is(tmp_path: Path) -> None:
    path = moving(tmp_path, dark=range(24, 60))
    quality, kinds = looked_at(path)
    assert kinds == ["black"]
    assert quality.findings[0].start_seconds == pytest.approx(1.0, abs=0.05)
    assert quality.findings[0].duration_seconds == pytest.approx(1.5, abs=0.05)


def test_a_picture_that_stands_still_is_found_unless_it_may(tmp_path: Path) -> None:
    path = moving(tmp_path, held=range(24, 96), color=GREY)
    quality, kinds = looked_at(path)
    assert kinds == ["frozen"]
    assert quality.findings[0].start_seconds == pytest.approx(1.0, abs=0.1)
    assert looked_at(path, still=[(0.9, 4.0)])[1] == []


def test_silence_and_missing_sound_are_found_unless_they_may_be(tmp_path: Path) -> None:
    assert looked_at(moving(tmp_path, sound=np.zeros(4 * RATE, np.float32)))[1] == ["silent"]
    path = moving(tmp_path, sound=None)
    assert looked_at(path)[1] == ["no_sound"]
    assert looked_at(path, silent=True)[1] == []


def test_sound_cut_off_at_full_scale_is_found(tmp_path: Path) -> None:
    loud = np.clip(tone(3, 300, 4.0), -1, 1)
    path = make_sound(tmp_path / "loud.flac", loud)
    assert looked_at(path, picture=False)[1] == ["clipped"]
    fine = make_sound(tmp_path / "fine.flac", tone(3, 300, 0.9))
    assert looked_at(fine, picture=False)[1] == []


@pytest.mark.parametrize(("seconds", "kind"), [(8.0, "too_short"), (2.0, "too_long")])
def test_a_wrong_length_is_found(tmp_path: Path, seconds: float, kind: str) -> None:
    assert looked_at(moving(tmp_path), seconds=seconds)[1] == [kind]


def test_faults_of_captions_are_found(tmp_path: Path) -> None:
    captions = [
        Caption(0.0, 1.0, ("one",)),
        Caption(0.5, 1.5, ("covers one",)),
        Caption(2.0, 2.0, ("no time",)),
        Caption(3.0, 9.0, ("too late",)),
    ]
    _, kinds = looked_at(moving(tmp_path), captions=captions)
    assert sorted(kinds) == ["captions_beyond_end", "captions_empty", "captions_overlap"]


def test_damage_is_a_finding_and_the_worst(tmp_path: Path) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(moving(tmp_path).read_bytes()[:3000])
    quality, kinds = looked_at(path)
    assert (quality.score, kinds) == (0.0, ["unreadable"])
