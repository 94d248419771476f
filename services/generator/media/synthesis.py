"""Building blocks of synthetic sound: envelopes, shaped noise, tones, a room. All by seed."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

RATE = 48_000
Wave: TypeAlias = npt.NDArray[np.float32]
"""One channel, full scale at 1; two channels have the shape (2, n)."""


def clock(seconds: float) -> Wave:
    """Return the time of each sample in seconds."""
    return (np.arange(max(1, round(seconds * RATE))) / RATE).astype(np.float32)


def tone(hertz: float, seconds: float, *, harmonics: tuple[float, ...] = (1.0,)) -> Wave:
    """Return a tone with the given levels of its harmonics, those above 16 kHz left out."""
    time = clock(seconds)
    wave = np.zeros_like(time)
    for number, level in enumerate(harmonics, 1):
        if level and hertz * number < 16_000:
            wave += np.float32(level) * np.sin(np.float32(2 * np.pi * hertz * number) * time)
    return wave / np.float32(max(1e-6, sum(abs(level) for level in harmonics)))


def pluck(hertz: float, seconds: float, decay: float) -> Wave:
    """Return a tone that is struck and dies away; `decay` is its half-life in seconds."""
    wave = tone(hertz, seconds, harmonics=(1.0, 0.45, 0.22, 0.1, 0.05))
    struck: Wave = wave * attack(wave.size, 0.004) * 0.5 ** (clock(seconds) / decay)
    return struck.astype(np.float32)


def attack(count: int, seconds: float) -> Wave:
    """Return a level that rises from 0 to 1 and stays."""
    return np.clip(np.arange(count) / max(1, seconds * RATE), 0, 1).astype(np.float32)


def swell(count: int, rise: float, fall: float) -> Wave:
    """Return a level that rises at the beginning and falls at the end, both in seconds."""
    level = attack(count, rise) * attack(count, fall)[::-1]
    return np.sin(level * np.pi / 2).astype(np.float32)


def noise(rng: np.random.Generator, count: int, low: float, high: float) -> Wave:
    """Return noise between two frequencies in hertz, at an RMS of 1; it repeats without a seam."""
    spectrum = np.fft.rfft(rng.standard_normal(count, dtype=np.float32))
    frequency = np.fft.rfftfreq(count, 1 / RATE).clip(1)
    shape = 1 / (1 + (low / frequency) ** 4) / (1 + (frequency / high) ** 4)
    wave = np.fft.irfft(spectrum * shape, count).astype(np.float32)
    return wave / np.float32(np.sqrt(np.mean(wave**2)) or 1)


def wander(rng: np.random.Generator, count: int, hertz: float) -> Wave:
    """Return a slow random level between 0 and 1 that changes about so often a second."""
    points = max(3, round(count / RATE * hertz) + 2)
    place = np.linspace(0, points - 1, count)
    return np.interp(place, np.arange(points), rng.random(points)).astype(np.float32)


def laid(wave: Wave, piece: Wave, at: float) -> None:
    """Add a piece to a wave from `at` seconds on; what hangs over the end is lost."""
    start = max(0, round(at * RATE))
    count = min(piece.size, wave.size - start)
    if count > 0:
        wave[start : start + count] += piece[:count]


def echoed(rng: np.random.Generator, wave: Wave, seconds: float, level: float) -> Wave:
    """Return a wave in a room: both channels, with a tail that dies away within `seconds`."""
    tail_seconds = clock(seconds)
    fading = 0.5 ** (tail_seconds / np.float32(seconds / 6)) * attack(tail_seconds.size, 0.005)
    channels = []
    for _ in range(2):
        tail = rng.standard_normal(tail_seconds.size, dtype=np.float32) * fading
        tail /= np.float32(np.sqrt(np.sum(tail**2)) or 1)
        channels.append(wave + np.float32(level) * _convolved(wave, tail))
    return np.stack(channels)


def _convolved(wave: Wave, tail: Wave) -> Wave:
    """Return the wave with a tail after each sample, block by block (overlap-add)."""
    size = 1 << (2 * tail.size).bit_length()
    step, shape = size - tail.size, np.fft.rfft(tail, size)
    wet = np.zeros(wave.size + size, np.float32)
    for start in range(0, wave.size, step):
        block = np.fft.irfft(np.fft.rfft(wave[start : start + step], size) * shape, size)
        wet[start : start + size] += block.astype(np.float32)
    return wet[: wave.size]


def levelled(wave: Wave, rms_db: float, peak: float = 0.9) -> Wave:
    """Return a wave at a level (RMS in dBFS), lower where its peaks would pass `peak`."""
    rms = float(np.sqrt(np.mean(wave**2))) or 1.0
    factor = 10 ** (rms_db / 20) / rms
    highest = float(np.abs(wave).max()) * factor
    return (wave * (factor * min(1.0, peak / highest if highest else 1.0))).astype(np.float32)
