"""Sound effects out of nothing: recipes of shaped noise and tones, the same for a seed."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from services.common.errors import InvalidArgument
from services.generator.domain.sentences import Said, said
from services.generator.domain.tasks import SoundTask
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
    wander,
)
from services.generator.media.utterances import cough, gasp, groan, laugh, sigh, sob

Recipe = Callable[[np.random.Generator, float], Wave]
_LEVEL_DB = -22.0
_EDGE_SECONDS = 0.05
_SEAM_SECONDS = 0.5


def sound(task: SoundTask, path: Path) -> tuple[float, int, tuple[str, ...]]:
    """Write the effect as FLAC (stereo, 48 kHz); returns its seconds, the seed and warnings."""
    seconds = task.duration_seconds or 4.0
    if not 0.1 <= seconds <= 600:
        raise InvalidArgument("duration", "must lie between 0.1 s and ten minutes")
    name, known = recipe_of(task.prompt)
    seed = _seed(task.prompt) if task.seed is None else task.seed
    write_flac(path, effect(name, seconds, seed, loop=bool(task.loop)), RATE)
    warning = said(Said.EFFECT_UNKNOWN, effect=name, known=", ".join(RECIPES))
    return seconds, seed, () if known else (warning,)


def recipe_of(prompt: str) -> tuple[str, bool]:
    """Return the effect that a prompt's words name first, and whether they name one."""
    found = [
        (match.start(), name)
        for name, words in _WORDS.items()
        if (match := re.search(rf"\b({words})\b", prompt.lower()))
    ]
    return (min(found)[1], True) if found else ("wind", False)


def effect(name: str, seconds: float, seed: int, *, loop: bool = False) -> Wave:
    """Return stereo samples of exactly this length; a loop's end runs into its beginning."""
    rng = np.random.default_rng(seed)
    seam = min(_SEAM_SECONDS, seconds / 4) if loop else 0.0
    wave = RECIPES[name](rng, seconds + seam)
    count, over = round(seconds * RATE), round(seam * RATE)
    wave = np.pad(wave, (0, max(0, count + over - wave.size)))[: count + over]
    if over:
        fade = np.sin(np.linspace(0, np.pi / 2, over, dtype=np.float32))
        wave[:over] = wave[:over] * fade + wave[count:] * fade[::-1]
        wave = wave[:count]
    stereo = levelled(echoed(rng, wave, 0.5, 0.25), _LEVEL_DB)
    if loop:
        return stereo
    edged: Wave = stereo * swell(count, min(_EDGE_SECONDS, seconds / 8), min(0.1, seconds / 4))
    return edged


def _wind(rng: np.random.Generator, seconds: float) -> Wave:
    count = clock(seconds).size
    gusts = 0.25 + wander(rng, count, 0.7)
    whistle = noise(rng, count, 500, 900) * wander(rng, count, 1.5) * np.float32(0.3)
    blown: Wave = noise(rng, count, 80, 500) * gusts + whistle
    return blown


def _rain(rng: np.random.Generator, seconds: float) -> Wave:
    wave = noise(rng, clock(seconds).size, 1500, 9000) * np.float32(0.5)
    for at in rng.uniform(0, seconds, round(seconds * 40)):
        drop = noise(rng, round(0.01 * RATE), 2000, 8000) * np.float32(rng.uniform(0.3, 2))
        laid(wave, drop * np.exp(-400 * clock(0.01)), float(at))
    return wave


def _thunder(rng: np.random.Generator, seconds: float) -> Wave:
    count = clock(seconds).size
    wave: Wave = noise(rng, count, 20, 140) * np.exp(-clock(seconds) * 3 / seconds)
    wave *= 0.3 + wander(rng, count, 4)
    crack = noise(rng, round(min(0.6, seconds) * RATE), 200, 4000)
    laid(wave, crack * np.exp(-12 * clock(min(0.6, seconds))) * np.float32(1.5), 0)
    return wave


def _waves(rng: np.random.Generator, seconds: float) -> Wave:
    time = clock(seconds)
    surge = 0.5 + 0.5 * np.sin(2 * np.pi * time / 6.5 - np.pi / 2)
    wash = noise(rng, time.size, 300, 6000) * surge**2 * np.float32(0.8)
    rolled: Wave = (noise(rng, time.size, 60, 500) * (0.3 + 0.7 * surge) + wash).astype(np.float32)
    return rolled


def _fire(rng: np.random.Generator, seconds: float) -> Wave:
    wave = noise(rng, clock(seconds).size, 60, 600) * np.float32(0.4)
    for at in rng.uniform(0, seconds, round(seconds * 14)):
        snap = noise(rng, round(0.02 * RATE), 1200, 9000) * np.float32(rng.exponential(2))
        laid(wave, snap * np.exp(-250 * clock(0.02)), float(at))
    return wave


def _steps(rng: np.random.Generator, seconds: float) -> Wave:
    wave = np.zeros_like(clock(seconds))
    for at in np.arange(0.1, seconds, 0.55):
        heel = noise(rng, round(0.12 * RATE), 80, 900) * np.exp(-40 * clock(0.12))
        laid(wave, heel * np.float32(rng.uniform(0.7, 1.1)), float(at + rng.uniform(-0.02, 0.02)))
        laid(wave, noise(rng, round(0.06 * RATE), 800, 5000) * np.exp(-80 * clock(0.06)) * 0.3,
             float(at) + 0.09)  # fmt: skip
    return wave


def _knock(rng: np.random.Generator, seconds: float) -> Wave:
    wave = np.zeros_like(clock(seconds))
    for at in (0.05, 0.3, 0.55):
        wood = noise(rng, round(0.15 * RATE), 120, 700) * np.exp(-35 * clock(0.15))
        laid(wave, wood + tone(170, 0.15) * np.exp(-40 * clock(0.15)), min(at, seconds * at))
    return wave


def _creak(rng: np.random.Generator, seconds: float) -> Wave:
    """Wood that sticks and slips: clicks, ever faster and slower again, in a hollow body."""
    wave = np.zeros_like(clock(seconds))
    ring = clock(0.05)
    body = sum(np.sin(2 * np.pi * pitch * ring) for pitch in (310.0, 730.0, 1270.0))
    slip = (np.asarray(body) * np.exp(-90 * ring)).astype(np.float32)
    at = 0.05
    while at < seconds:
        pull = np.sin(np.pi * at / seconds)
        laid(wave, slip * np.float32((0.2 + pull) * rng.uniform(0.6, 1.0)), at)
        at += float(rng.uniform(0.8, 1.2) / (18 + 45 * pull))
    return wave


def _whoosh(rng: np.random.Generator, seconds: float) -> Wave:
    count = clock(seconds).size
    bell = np.hanning(count).astype(np.float32) ** 2
    air: Wave = noise(rng, count, 200, 1200) * bell + noise(rng, count, 1500, 7000) * bell**2
    return air


def _birds(rng: np.random.Generator, seconds: float) -> Wave:
    wave = noise(rng, clock(seconds).size, 200, 2500) * np.float32(0.02)
    for at in rng.uniform(0, max(0.1, seconds - 0.3), max(1, round(seconds * 2.2))):
        base, time = rng.uniform(2200, 4800), clock(0.16)
        sweep = np.sin(2 * np.pi * (base * time + rng.uniform(-900, 900) * time**2 * 3))
        trill = sweep * swell(time.size, 0.02, 0.06) * (0.6 + 0.4 * np.sin(2 * np.pi * 28 * time))
        for repeat in range(int(rng.integers(1, 4))):
            laid(wave, (trill * rng.uniform(0.2, 0.7)).astype(np.float32), float(at) + repeat * 0.2)
    return wave


def _crickets(rng: np.random.Generator, seconds: float) -> Wave:
    time = clock(seconds)
    wave = noise(rng, time.size, 150, 900) * np.float32(0.03)
    for _ in range(3):
        pitch, pulse = rng.uniform(4100, 4900), rng.uniform(13, 17)
        chirp = (np.sin(2 * np.pi * pulse * time) > 0) * (np.sin(2 * np.pi * time / 0.9) > -0.3)
        wave += (np.sin(2 * np.pi * pitch * time) * chirp * 0.25).astype(np.float32)
    return wave


def _heartbeat(rng: np.random.Generator, seconds: float) -> Wave:
    wave = np.zeros_like(clock(seconds))
    thud = np.sin(2 * np.pi * 52 * clock(0.18)) * np.exp(-22 * clock(0.18))
    for at in np.arange(0.1, seconds, 0.86):
        laid(wave, thud.astype(np.float32), float(at))
        laid(wave, (thud * 0.7).astype(np.float32), float(at) + 0.26)
    return wave


def _bell(rng: np.random.Generator, seconds: float) -> Wave:
    wave = np.zeros_like(clock(seconds))
    for ratio, level in ((1, 1.0), (2.0, 0.6), (2.4, 0.5), (3.0, 0.35), (4.5, 0.2), (5.3, 0.15)):
        struck = pluck(440 * ratio, seconds, 1.1 / ratio) * np.float32(level)
        laid(wave, struck * attack(struck.size, 0.002), 0)
    return wave


def _engine(rng: np.random.Generator, seconds: float) -> Wave:
    time = clock(seconds)
    turn = 46 * time + np.cumsum(wander(rng, time.size, 0.6) - 0.5) / RATE * 10
    fired = noise(rng, time.size, 60, 900) * np.float32(0.35)
    for harmonic in (1, 2, 3, 4, 6):
        fired += (np.sin(2 * np.pi * turn * harmonic) / harmonic).astype(np.float32)
    return fired


RECIPES: dict[str, Recipe] = {
    "wind": _wind, "rain": _rain, "thunder": _thunder, "waves": _waves, "fire": _fire,
    "footsteps": _steps, "creak": _creak, "knock": _knock, "whoosh": _whoosh, "birds": _birds,
    "crickets": _crickets, "heartbeat": _heartbeat, "bell": _bell, "engine": _engine,
    "laugh": laugh, "sigh": sigh, "groan": groan, "gasp": gasp, "cough": cough, "sob": sob,
}  # fmt: skip
_WORDS = {
    "wind": r"wind\w*|breeze|gust\w*|storm|upepo",
    "rain": r"rain\w*|drizzle|shower|mvua",
    "thunder": r"thunder\w*|lightning|explo\w+|blast|radi|ngurumo",
    "waves": r"waves?|sea|ocean|surf|shore|beach|water|lake|bahari|mawimbi",
    "fire": r"fire\w*|flames?|campfire|crackl\w+|moto",
    "footsteps": r"foot\w*|steps?|walk\w*|running|hatua",
    "creak": r"creak\w*|squeak\w*|hinges?|floorboards?",
    "knock": r"knock\w*|door(?! creak| squeak)|hodi|mlango",
    "whoosh": r"whoosh|swoosh|swish|transition|fly-?by|pass(?:es|ing)? by",
    "birds": r"birds?|birdsong|chirp\w*|dawn chorus|morning|ndege",
    "crickets": r"crickets?|insects?|night|savanna\w*|usiku",
    "heartbeat": r"heart\w*|pulse|moyo",
    "bell": r"bells?|chime\w*|gong|ding|kengele",
    "laugh": r"laugh\w*|giggl\w*|chuckl\w*|kicheko|anacheka",
    "sigh": r"sigh\w*|anapumua",
    "groan": r"groan\w*|moan\w*|anaguna",
    "gasp": r"gasp\w*|anashtuka",
    "cough": r"cough\w*|clear\w* (?:\w+ )?throat|anakohoa",
    "sob": r"sob\w*|weep\w*|crying|cries|analia",
    "engine": r"engine|car|motor\w*|truck|matatu|bus|traffic|gari",
}


def _seed(prompt: str) -> int:
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:7])
