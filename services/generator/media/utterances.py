"""Sounds that people make without words: laughs, sighs and the like, of a voice and breath."""

import numpy as np

from services.generator.media.synthesis import RATE, Wave, clock, laid, noise, swell

_FORMANTS = ((700.0, 130.0, 1.0), (1150.0, 150.0, 0.55), (2500.0, 220.0, 0.2))
"""Hertz, width and level of an open vowel, "ah"."""


def laugh(rng: np.random.Generator, seconds: float) -> Wave:
    """Return "ha" after "ha", five a second, each lower and softer than the one before."""
    wave = np.zeros_like(clock(seconds))
    pitch = rng.uniform(170, 260)
    for number, at in enumerate(np.arange(0.02, max(0.1, seconds - 0.15), 0.19)):
        fall = 0.94**number
        laid(wave, _breath(rng, 0.05, 0.01, 0.04) * np.float32(0.5 * fall), float(at))
        laid(wave, _vowel(pitch * fall, pitch * fall * 0.85, 0.12) * np.float32(fall), at + 0.03)
    return wave


def sigh(rng: np.random.Generator, seconds: float) -> Wave:
    """Return a breath that is let out, with a little voice at its beginning."""
    wave = _breath(rng, seconds, 0.15 * seconds, 0.75 * seconds)
    voice = min(0.5, seconds / 2)
    laid(wave, _vowel(190, 120, voice) * np.float32(0.3), 0.1 * seconds)
    return wave


def groan(rng: np.random.Generator, seconds: float) -> Wave:
    """Return a low voice that falls, and is rough."""
    rough = np.float32(1) + noise(rng, clock(seconds).size, 15, 45) * np.float32(0.2)
    groaned: Wave = _vowel(125, 82, seconds) * rough
    return groaned


def gasp(rng: np.random.Generator, seconds: float) -> Wave:
    """Return a breath that is drawn in at once."""
    wave = np.zeros_like(clock(seconds))
    laid(wave, _breath(rng, min(0.45, seconds), 0.3 * min(0.45, seconds), 0.05), 0.02)
    return wave


def cough(rng: np.random.Generator, seconds: float) -> Wave:
    """Return two bursts of breath."""
    wave = np.zeros_like(clock(seconds))
    for at in (0.03, 0.45):
        burst = _breath(rng, 0.25, 0.005, 0.2) + _vowel(140, 100, 0.25) * np.float32(0.6)
        laid(wave, burst, min(at, seconds * at))
    return wave


def sob(rng: np.random.Generator, seconds: float) -> Wave:
    """Return a trembling voice between breaths that are drawn in by jerks."""
    wave = np.zeros_like(clock(seconds))
    for at in np.arange(0.02, max(0.1, seconds - 0.3), 0.6):
        laid(wave, _breath(rng, 0.12, 0.08, 0.03) * np.float32(0.6), float(at))
        time = clock(0.4)
        shaken = (1 + 0.5 * np.sin(2 * np.pi * 7 * time)).astype(np.float32)
        laid(wave, _vowel(rng.uniform(230, 290), 200, 0.4) * shaken * np.float32(0.5), at + 0.14)
    return wave


def _vowel(begin: float, end: float, seconds: float) -> Wave:
    """Return a voiced "ah" whose pitch goes from `begin` to `end` hertz."""
    time = clock(seconds)
    pitch = np.linspace(begin, end, time.size)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    wave = np.zeros(time.size)
    for number in range(1, int(3400 / max(begin, end)) + 1):
        level = sum(
            strength * np.exp(-(((pitch * number - hertz) / width) ** 2))
            for hertz, width, strength in _FORMANTS
        )
        wave += (level + 0.15 / number) * np.sin(number * phase)
    return (wave * swell(time.size, 0.1 * seconds, 0.4 * seconds)).astype(np.float32)


def _breath(rng: np.random.Generator, seconds: float, rise: float, fall: float) -> Wave:
    """Return air through an open mouth; `rise` and `fall` in seconds."""
    count = clock(seconds).size
    blown: Wave = noise(rng, count, 500, 3500) * swell(count, rise, fall) * np.float32(0.5)
    return blown
