"""A music bed by mood: chords, bass, a figure above them and soft drums, the same for a seed.

Written down as data: a mood is a scale's chords, a tempo and what plays.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.common.errors import InvalidArgument
from services.generator.domain.tasks import MusicTask
from services.generator.media.sounds import write_flac
from services.generator.media.synthesis import (
    RATE,
    Wave,
    attack,
    clock,
    echoed,
    laid,
    levelled,
    noise,
    pluck,
    swell,
    tone,
)

_LEVEL_DB = -20.0
_BEATS = 4
_LONGEST_SECONDS = 600
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True, slots=True)
class Mood:
    """How a mood sounds: degrees of a scale that chords stand on, beats a minute, what plays."""

    scale: tuple[int, ...]
    chords: tuple[int, ...]
    tempo: int
    root: float = 110.0
    figure: float = 0.5
    drums: float = 0.0
    bass: float = 0.6


MOODS = {
    "neutral": Mood(_MAJOR, (0, 4, 5, 3), 84),
    "calm": Mood(_MAJOR, (0, 3, 0, 4), 62, figure=0.3, bass=0.4),
    "joyful": Mood(_MAJOR, (0, 3, 4, 0), 112, root=130.8, figure=0.8, drums=0.5),
    "energetic": Mood(_MAJOR, (5, 3, 0, 4), 126, root=123.5, figure=0.8, drums=0.8),
    "romantic": Mood(_MAJOR, (0, 5, 1, 4), 70, root=116.5, figure=0.5),
    "epic": Mood(_MINOR, (0, 5, 2, 6), 92, root=98.0, figure=0.4, drums=0.7, bass=0.9),
    "dramatic": Mood(_MINOR, (0, 3, 5, 4), 76, root=98.0, figure=0.3, drums=0.4, bass=0.9),
    "tense": Mood(_MINOR, (0, 0, 5, 0), 96, root=82.4, figure=0.6, drums=0.3, bass=0.9),
    "mysterious": Mood(_MINOR, (0, 5, 1, 0), 60, root=92.5, figure=0.4),
    "melancholic": Mood(_MINOR, (0, 5, 3, 4), 66, figure=0.5, bass=0.4),
    "nostalgic": Mood(_MAJOR, (0, 2, 3, 4), 74, figure=0.6, bass=0.4),
}
_WORDS = {
    "calm": r"calm|peace\w*|quiet|gentle|soft|serene|relax\w*|ambient|utulivu|amani",
    "joyful": r"joy\w*|happy|cheer\w*|fun|bright|playful|comic|furaha|raha",
    "energetic": r"energ\w*|fast|upbeat|drive|driving|action|dance|sport|haraka",
    "romantic": r"roman\w*|love|tender|warm|mapenzi|upendo",
    "epic": r"epic|hero\w*|grand|majest\w*|trailer|adventur\w*",
    "dramatic": r"drama\w*|serious|news|habari",
    "tense": r"tens\w*|suspens\w*|fear|horror|dark|chase|thrill\w*|hofu",
    "mysterious": r"myster\w*|magic\w*|dream\w*|space|night|usiku",
    "melancholic": r"melanchol\w*|sad|sorrow|grief|lonely|rain|huzuni",
    "nostalgic": r"nostalg\w*|memor\w*|old|childhood|kumbukumbu",
}


def play(task: MusicTask, path: Path) -> tuple[float, int]:
    """Write the bed as FLAC (stereo, 48 kHz); returns its seconds and the seed.

    Raises InvalidArgument for words to sing, which it cannot.
    """
    if task.lyrics.strip():
        raise InvalidArgument("lyrics", "the music bed has no voice")
    seconds = task.duration_seconds or 30.0
    if not 0.5 <= seconds <= _LONGEST_SECONDS:
        message = f"must lie between 0.5 and {_LONGEST_SECONDS} s; repeat it where more is needed"
        raise InvalidArgument("duration", message)
    mood = mood_of(task)
    seed = _seed(task) if task.seed is None else task.seed
    write_flac(path, bed(MOODS[mood], seconds, seed), RATE)
    return seconds, seed


def mood_of(task: MusicTask) -> str:
    """Return the mood that is named, else the one that the prompt's words tell of."""
    for text in (task.mood.lower(), task.prompt.lower()):
        if text in MOODS:
            return text
        for mood, words in _WORDS.items():
            if re.search(rf"\b({words})\b", text):
                return mood
    return "neutral"


def bed(mood: Mood, seconds: float, seed: int) -> Wave:
    """Return stereo samples of exactly this length, between -1 and 1."""
    rng = np.random.default_rng(seed)
    beat = 60 / mood.tempo * float(rng.uniform(0.97, 1.03))
    wave = np.zeros(round(seconds * RATE), np.float32)
    for number, at in enumerate(np.arange(0, seconds, beat * _BEATS)):
        degree = mood.chords[number % len(mood.chords)]
        laid(wave, _bar(mood, degree, beat, rng), float(at))
    room = levelled(echoed(rng, wave, 1.6, 0.35), _LEVEL_DB)
    faded: Wave = room * swell(room.shape[1], min(0.4, seconds / 4), min(1.5, seconds / 3))
    return faded


def _bar(mood: Mood, degree: int, beat: float, rng: np.random.Generator) -> Wave:
    length = beat * _BEATS
    wave = np.zeros(round(length * 1.5 * RATE), np.float32)
    for step in (0, 2, 4):
        laid(wave, _pad(_pitch(mood, degree + step), length), 0)
    low = tone(_pitch(mood, degree) / 2, beat * 2, harmonics=(1.0, 0.3, 0.1))
    for half in (0, 2):
        laid(wave, low * swell(low.size, 0.02, 0.3) * np.float32(mood.bass * 0.5), half * beat)
    for at, note in _figure(degree, rng):
        struck = pluck(_pitch(mood, note) * 2, beat * 2, 0.25)
        laid(wave, struck * np.float32(mood.figure * rng.uniform(0.2, 0.35)), at * beat)
    if mood.drums:
        _drummed(wave, mood.drums, beat, rng)
    return wave


def _pad(hertz: float, seconds: float) -> Wave:
    long = seconds * 1.15
    sound = (1.0, 0.35, 0.18, 0.06)
    wave = tone(hertz * 0.997, long, harmonics=sound) + tone(hertz * 1.003, long, harmonics=sound)
    padded: Wave = wave * swell(wave.size, 0.35, 0.6) * np.float32(0.16)
    return padded


def _figure(degree: int, rng: np.random.Generator) -> Iterator[tuple[float, int]]:
    """Yield beats and degrees of the notes above a chord."""
    steps = (0, 2, 4, 7, 4, 2, 4, 2)
    for number, step in enumerate(steps):
        if rng.random() < 0.7:
            yield number / 2, degree + step + (7 if rng.random() < 0.2 else 0)


def _drummed(wave: Wave, level: float, beat: float, rng: np.random.Generator) -> None:
    time = clock(0.25)
    kick = np.sin(2 * np.pi * (48 * time + 3 * (1 - np.exp(-30 * time)))) * np.exp(-14 * time)
    brush = noise(rng, round(0.12 * RATE), 3000, 9000)
    brush *= np.exp(-45 * clock(0.12)[: brush.size]) * attack(brush.size, 0.002)
    for number in range(_BEATS):
        laid(wave, (kick * 0.55 * level).astype(np.float32), number * beat)
        laid(wave, (brush * 0.05 * level).astype(np.float32), (number + 0.5) * beat)


def _pitch(mood: Mood, degree: int) -> float:
    octave, step = divmod(degree, len(mood.scale))
    return mood.root * 2 ** (octave + mood.scale[step] / 12)


def _seed(task: MusicTask) -> int:
    digest = hashlib.sha256(f"{task.prompt}\n{task.mood}".encode()).digest()
    return int.from_bytes(digest[:7])
