"""Mixes are measured as they play: places in samples, levels in dBFS, loudness by EBU R 128."""

import errno
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.generator.domain.compositions import Clip, ComposeTask, Role, Track
from services.generator.domain.media import Media
from services.generator.media import soundtrack
from services.generator.media.checks import Expected, check
from services.generator.media.compose import Composed, Inputs, compose
from services.generator.media.loudness import Loudness, measured
from tests.fakes.clips import RATE, decibels, heard, levels, make_clip, make_sound, tone

ANY = Media(url="https://example.com/any")
MUSIC, CLICK = 220.0, 3000.0

pytestmark = pytest.mark.timeout(120)


def talk(seconds: float) -> np.ndarray:
    """Something with the levels of speech: syllables of a buzz, four a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 130 * n * time) / n for n in (3, 4, 5, 7, 9))
    syllables = np.clip(np.sin(2 * np.pi * 4 * time), 0, 1) ** 0.5
    return (0.2 * buzz * syllables).astype(np.float32)


def made(
    folder: Path, tracks: list[tuple[np.ndarray, dict[str, Any]]], *, seconds: int = 8, **task: Any
) -> tuple[Path, Composed]:
    clip = make_clip(folder / "clip.mp4", frames=seconds * 12, rate=12, size=(96, 64))
    files = [make_sound(folder / f"{n}.flac", samples) for n, (samples, _) in enumerate(tracks)]
    given = tuple(Track(media=ANY, **change) for _, change in tracks)
    order = ComposeTask(clips=(Clip(media=ANY),), tracks=given, **task)
    film = folder / "film.mp4"
    return film, compose(order, Inputs(clips=[clip], tracks=files), film, lambda _: None)


def mixed(folder: Path, tracks: list[tuple[np.ndarray, dict[str, Any]]], **given: Any) -> Path:
    return made(folder, tracks, **given)[0]


def first(samples: np.ndarray, level: float) -> float:
    return float(np.flatnonzero(np.abs(samples) > level)[0]) / RATE


@pytest.mark.parametrize("at", [0.0, 1.234, 5.5])
def test_a_track_begins_at_its_time(tmp_path: Path, at: float) -> None:
    film = mixed(tmp_path, [(tone(0.5, CLICK, 0.5), {"role": Role.EFFECT, "at_seconds": at})])
    sound = heard(film)[0]
    assert first(sound, 0.02) == pytest.approx(at, abs=0.02)
    assert len(sound) == pytest.approx(8 * RATE, abs=2048)


@pytest.mark.parametrize("lufs", [-16.0, -23.0])
def test_the_film_meets_its_loudness_and_its_peak(tmp_path: Path, lufs: float) -> None:
    tracks: list[tuple[np.ndarray, dict[str, Any]]] = [
        (talk(5), {"role": Role.DIALOGUE, "at_seconds": 1.0}),
        (tone(8, MUSIC), {"role": Role.MUSIC}),
    ]
    film, facts = made(tmp_path, tracks, loudness_lufs=lufs)
    found = levels(film)
    assert found[0] == pytest.approx(lufs, abs=1)
    assert found[1] <= -1
    assert facts.quality is not None
    told = (facts.quality.loudness_lufs, facts.quality.true_peak_db)
    assert told == pytest.approx(found, abs=0.15)
    assert facts.quality.findings == ()


def test_the_sound_of_a_quiet_room_does_not_become_a_roar(tmp_path: Path) -> None:
    noise = np.random.default_rng(7).normal(0, 10 ** (-60 / 20), 8 * RATE).astype(np.float32)
    film, facts = made(tmp_path, [(noise, {"role": Role.EFFECT})])
    lufs = levels(film)[0]
    assert -44 < lufs < -36, "20 dB louder, no more"
    assert facts.quality is not None
    assert {each.kind for each in facts.quality.findings} == {"loudness_missed"}
    assert (
        facts.quality.findings[0].explanation == f"its loudness is {lufs:.1f} LUFS instead of -16.0"
    )


def test_a_mix_that_has_no_room_on_the_disk_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total, used, _ = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: (total, used, 2 * RATE * 8 - 1))
    monkeypatch.setattr(soundtrack, "mixed", lambda *_, **__: pytest.fail("it was begun"))
    with pytest.raises(OSError, match="has no room") as caught:
        mixed(tmp_path, [(tone(1), {"role": Role.EFFECT})], seconds=2)
    assert caught.value.errno == errno.ENOSPC


def test_peaks_that_could_not_be_held_are_told(tmp_path: Path) -> None:
    expected = Expected(loudness=Loudness(-16, -1), picture=False)
    sound = make_sound(tmp_path / "s.flac", tone(2))
    quality = check(sound, "media", expected, loudness=Loudness(-16.2, -0.4))
    assert [each.kind for each in quality.findings] == ["peaks_too_high"]
    assert "-0.40 dBTP" in quality.findings[0].explanation
    silent = check(sound, "media", expected, loudness=Loudness(-70, -120))
    assert silent.findings == (), "where there is nothing to be heard there is no level to miss"


def test_no_part_of_a_recording_begins_or_stops_with_a_click(tmp_path: Path) -> None:
    """Cut where the wave is at its highest: in the middle, and by the end of the film."""
    wave = np.cos(2 * np.pi * 100 * np.arange(4 * RATE) / RATE).astype(np.float32) / 2
    part = {"role": Role.EFFECT, "start_seconds": 1.0, "duration_seconds": 0.5}
    rest = {"role": Role.EFFECT, "start_seconds": 1.0, "at_seconds": 1.0}
    sound = heard(mixed(tmp_path, [(wave, part), (wave, rest)], seconds=2, keep_levels=True))[0]
    steepest = 2 * np.pi * 100 / RATE / 2
    assert np.abs(np.diff(sound[: 2 * RATE])).max() < 3 * steepest
    assert np.abs(sound[2 * RATE - 48 : 2 * RATE]).max() < 0.25, "and the end of the film is soft"


def test_peaks_are_held_and_loudness_kept(tmp_path: Path) -> None:
    """Clicks far above the rest would pass full scale at this loudness."""
    sound = tone(8, MUSIC, 0.04)
    sound[:: RATE // 2] = 1.0
    film = mixed(tmp_path, [(sound, {"role": Role.EFFECT})])
    found = measured(film, "film")
    assert found.lufs == pytest.approx(-16, abs=1)
    assert found.peak_db <= -1


def test_music_goes_down_under_speech_and_comes_back(tmp_path: Path) -> None:
    tracks: list[tuple[np.ndarray, dict[str, Any]]] = [
        (talk(3), {"role": Role.DIALOGUE, "at_seconds": 3.0}),
        (tone(10, MUSIC), {"role": Role.MUSIC}),
    ]
    film = mixed(tmp_path, tracks, seconds=10)
    sound = heard(film)[0]

    def music(begin: float, end: float) -> float:
        return decibels(sound[round(begin * RATE) : round(end * RATE)], MUSIC)

    assert music(1, 2) - music(3.2, 5.8) >= 10
    assert decibels(sound[3 * RATE : 6 * RATE]) - music(3.2, 5.8) >= 10
    assert music(8, 9) == pytest.approx(music(1, 2), abs=0.5)
    assert music(2.9, 3.0) < music(1, 2) - 6, "it gives way before the first word"


def test_levels_that_are_kept_are_kept(tmp_path: Path) -> None:
    tracks: list[tuple[np.ndarray, dict[str, Any]]] = [
        (talk(3), {"role": Role.DIALOGUE, "at_seconds": 3.0}),
        (tone(8, MUSIC, 0.1), {"role": Role.MUSIC, "gain_db": -6.0}),
    ]
    sound = heard(mixed(tmp_path, tracks, keep_levels=True))[0]
    # A mono recording lies in both channels, 3 dB down in each.
    for begin in (1, 4, 7):
        level = decibels(sound[begin * RATE : (begin + 1) * RATE], MUSIC)
        assert level == pytest.approx(-23 - 6 - 3, abs=1)


def test_a_loop_fades_and_ends_where_it_is_told(tmp_path: Path) -> None:
    change = {
        "role": Role.MUSIC,
        "loop": True,
        "at_seconds": 1.0,
        "duration_seconds": 5.0,
        "fade_in_seconds": 1.0,
        "fade_out_seconds": 1.0,
    }
    sound = heard(mixed(tmp_path, [(tone(1, MUSIC, 0.2), change)], keep_levels=True))[0]
    level = [decibels(sound[n * RATE : (n + 1) * RATE]) for n in range(8)]
    assert level[0] < -60
    assert level[6] < -60
    assert level[3] == pytest.approx(level[2], abs=0.5)
    assert -9 < level[1] - level[3] < -1
    assert -9 < level[5] - level[3] < -1


def test_part_of_a_recording_is_heard(tmp_path: Path) -> None:
    both = np.concatenate([tone(1, MUSIC, 0.2), tone(1, 880, 0.2)])
    change = {"role": Role.EFFECT, "start_seconds": 1.0, "duration_seconds": 0.5}
    sound = heard(mixed(tmp_path, [(both, change)], keep_levels=True))[0]
    assert decibels(sound[: RATE // 2], 880) > -21
    assert decibels(sound[: RATE // 2], MUSIC) < -50
    assert decibels(sound[RATE * 6 // 10 :]) < -60
