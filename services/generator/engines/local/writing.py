"""What a run has given, brought off the device and written as it was asked for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from services.generator.domain.shapes import Shape
from services.generator.engines.local.encoding import write_clip, write_picture, write_sound
from services.generator.engines.local.family import Frames, Output, Picture, Pixels, Score, Sound
from services.generator.engines.local.interpolation import count_at, interpolated


@dataclass(slots=True, kw_only=True)
class Clip:
    """`count` frames in chunks at `fps`; the sound of a run is there once its frames were taken."""

    fps: float
    count: int
    chunks: Iterator[Pixels] = field(default_factory=lambda: iter(()))
    sounds: list[Sound] = field(default_factory=list)

    @classmethod
    def of(cls, frames: Frames) -> "Clip":
        """Return the clip of one run."""
        sounds = [frames.sound] if frames.sound is not None else []
        return cls(fps=frames.fps, count=frames.count, chunks=frames.chunks, sounds=sounds)

    def sound(self) -> Sound | None:
        """Return the sound of all runs so far, None where there is none."""
        if not self.sounds:
            return None
        samples = np.concatenate([each.samples for each in self.sounds], axis=1)
        return Sound(samples=samples, rate=self.sounds[0].rate)


Written: TypeAlias = Clip | Picture | Sound | Score


def brought(output: Output | Clip) -> Written:
    """Return the output in this machine's memory, all of it."""
    if isinstance(output, Frames):
        output = Clip.of(output)
    if isinstance(output, Clip):
        output.chunks = iter(list(output.chunks))
    return output


def written(path: Path, output: Written, asked: Shape) -> Shape:
    """Write the file as asked and return the shape that it has; too much is cut off.

    Raises RuntimeError when it cannot be encoded.
    """
    if isinstance(output, Clip):
        chunks = output.chunks
        if output.fps != asked.fps:
            count = min(asked.frames, count_at(output.count, output.fps, asked.fps))
            chunks = interpolated(chunks, fps=output.fps, into=asked.fps, count=count)
        count = write_clip(path, chunks, like=asked, sound=output.sound)
        return replace(asked, frames=count, seconds=count / asked.fps)
    if isinstance(output, Picture):
        write_picture(path, output, (asked.width, asked.height))
        return replace(asked, seconds=0.0)
    if isinstance(output, Score):
        path.write_text(json.dumps({"score": output.value}), encoding="utf-8")
        return asked
    return replace(asked, seconds=write_sound(path, output, asked.seconds))


def without_start(sound: Sound, seconds: float) -> Sound:
    """Return a sound without its first seconds: they were heard at the end of the run before."""
    return replace(sound, samples=sound.samples[:, round(seconds * sound.rate) :])
