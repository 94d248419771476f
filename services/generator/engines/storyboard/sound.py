"""Ambience: a soft pad in the mood's chord over wind, rain or surf, at about -23 LUFS."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from services.generator.engines.storyboard.scene import Scene

SAMPLE_RATE = 48_000
_TARGET_LUFS = -23.0
_PEAK = 0.7

Samples = npt.NDArray[np.floating]

# Semitones above A2 (110 Hz).
_CHORDS = {
    "neutral": (0, 7, 12, 16), "calm": (0, 7, 14, 16), "joyful": (3, 10, 15, 19),
    "dramatic": (-5, 2, 7, 10), "tense": (-9, -3, 3, 4), "melancholic": (0, 3, 7, 14),
    "romantic": (-2, 5, 9, 14), "epic": (-7, 0, 5, 12), "mysterious": (-4, 3, 8, 13),
    "energetic": (2, 9, 14, 18), "nostalgic": (-4, 3, 7, 12),
}  # fmt: skip


def ambience(scene: "Scene", seconds: float) -> Samples:
    """Return stereo samples, shape (2, n), between -1 and 1, of exactly the given length."""
    count = max(1, round(seconds * SAMPLE_RATE))
    noise = np.random.default_rng(scene.seed)
    time = np.arange(count, dtype=np.float32) / SAMPLE_RATE
    mixed = _pad(_CHORDS[scene.mood], time, noise) + _air(scene, time, noise)
    mixed *= 10 ** ((_TARGET_LUFS - _loudness(mixed)) / 20)
    peak = float(np.abs(mixed).max())
    if peak > _PEAK:
        mixed *= _PEAK / peak
    faded: Samples = mixed * _fade(count)
    return faded


def _loudness(samples: Samples) -> float:
    """Return LUFS by ITU-R BS.1770's weighting (its two filters approximated, no gating)."""
    part = samples[:, : SAMPLE_RATE * 6]
    frequency = np.fft.rfftfreq(part.shape[1], 1 / SAMPLE_RATE)
    shelf = 1 + (10**0.4 - 1) / (1 + (1500 / frequency.clip(1)) ** 4)
    high_pass = 1 / (1 + (38 / frequency.clip(1)) ** 4)
    power = (np.abs(np.fft.rfft(part)) ** 2 * shelf * high_pass).sum() * 2 / part.shape[1] ** 2
    return float(-0.691 + 10 * np.log10(max(power, 1e-12)))


def _pad(chord: tuple[int, ...], time: Samples, noise: np.random.Generator) -> Samples:
    out = np.zeros((2, time.size), np.float32)
    for step in chord:
        pitch = 110.0 * 2 ** (step / 12)
        for detune, pan in ((0.9985, 0.3), (1.0015, 0.7)):
            phase, slow = noise.uniform(0, 2 * np.pi, 2)
            tone = np.sin(2 * np.pi * pitch * detune * time + np.float32(phase))
            swell = 0.65 + 0.35 * np.sin(2 * np.pi * 0.11 * time + np.float32(slow))
            tone *= swell / len(chord)
            out[0] += tone * (1 - pan)
            out[1] += tone * pan
    return out


def _air(scene: "Scene", time: Samples, noise: np.random.Generator) -> Samples:
    if "rain" in scene.weather:
        low, high, level, swell = 900.0, 9000.0, 0.5, 0.02
    elif scene.setting in {"ocean", "lake"}:
        low, high, level, swell = 90.0, 1400.0, 0.6, 0.14
    elif scene.setting in {"interior", "city", "space"}:
        low, high, level, swell = 50.0, 380.0, 0.4, 0.05
    else:
        low, high, level, swell = 120.0, 900.0, 0.45, 0.09
    depth = 0.1 if swell < 0.05 else 0.45
    waves = (
        1 - depth + depth * np.sin(2 * np.pi * swell * time + np.float32(noise.uniform(0, 6.28)))
    )
    stereo = np.stack([_band(noise, time.size, low, high) for _ in range(2)])
    air: Samples = level * waves * stereo
    return air


def _band(noise: np.random.Generator, count: int, low: float, high: float) -> Samples:
    """Return noise between two frequencies with an RMS of 1 (a loop of at most six seconds)."""
    loop = min(count, SAMPLE_RATE * 6)
    spectrum = np.fft.rfft(noise.standard_normal(loop, dtype=np.float32))
    frequency = np.fft.rfftfreq(loop, 1 / SAMPLE_RATE).clip(1)
    shape = 1 / (1 + (low / frequency) ** 4) / (1 + (frequency / high) ** 4) / np.sqrt(frequency)
    sound = np.fft.irfft(spectrum * shape, loop).astype(np.float32)
    sound /= float(np.sqrt(np.mean(sound**2))) or 1.0
    looped: Samples = np.resize(sound, count)
    return looped


def _fade(count: int) -> Samples:
    ramp = min(count // 4, SAMPLE_RATE // 3)
    envelope = np.ones(count, np.float32)
    if ramp:
        curve = np.sin(np.linspace(0, np.pi / 2, ramp, dtype=np.float32)) ** 2
        envelope[:ramp] = curve
        envelope[-ramp:] = curve[::-1]
    return envelope
