"""Enlarging clips and pictures: size, frames, rate and sound; tiles without a seam; a stop."""

import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Media, Operation, UpscaleTask
from services.generator.domain.vram import Device, Plan
from services.generator.engines.local.encoding import write_clip
from services.generator.engines.local.enlarging import enlarged_shape
from services.generator.engines.local.families import recognise, upscaler
from services.generator.engines.local.family import RunOrder, Sound, Stopped
from services.generator.engines.local.probe import Source, probe

pytestmark = pytest.mark.xdist_group("torch")

THERE = Media(url="https://assets.invalid/a1")
RATE = 48_000


@pytest.fixture(scope="module")
def loaded(shelf):
    kept = {}

    def get(name):
        if name not in kept:
            folder = shelf.get(name)
            family = recognise(probe(folder))
            source = Source(model=name, location=str(folder))
            kept[name] = family, family.load(source, Plan(device=Device(), shape=Shape()))
        return kept[name]

    return get


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """720p, four frames at 30000/1001, with a tone of the same length."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    across = np.linspace(0, 255, 1280, dtype=np.uint8)
    shifted = [np.roll(across, 9 * number)[:, None] for number in range(4)]
    frames = np.stack([np.broadcast_to(row, (720, 1280, 3)) for row in shifted])
    time = np.arange(round(RATE * 4 * 1001 / 30000)) / RATE
    tone = np.stack([0.4 * np.sin(2 * np.pi * 440 * time)] * 2).astype(np.float32)
    like = Shape(width=1280, height=720, frames=4, fps=30000 / 1001)
    write_clip(path, iter([frames]), like=like, sound=lambda: Sound(samples=tone, rate=RATE))
    return path


def facts(path):
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
        rate = stream.average_rate
    with av.open(str(path)) as film:
        heard = np.concatenate([f.to_ndarray() for f in film.decode(film.streams.audio[0])], axis=1)
    return frames, rate, heard


def order(path, shape):
    return RunOrder(prompts=("",), seeds=(0,), shape=shape, files={"media": path})


def test_720p_becomes_1080p_with_its_length_its_rate_and_its_sound(loaded, clip, tmp_path):
    family, resident = loaded("real_esrgan_x2")
    assert family.operation is Operation.UPSCALE
    shape = enlarged_shape(UpscaleTask(media=THERE, resolution="1080p"), clip)
    steps: list[tuple[int, int]] = []
    made = family.run(resident, order(clip, shape), lambda *step: steps.append(step))[0]
    path = tmp_path / "large.mp4"
    write_clip(path, made.chunks, like=shape, sound=lambda: made.sound)
    before, rate, tone = facts(clip)
    after, rate_after, tone_after = facts(path)
    assert after[0].shape == (1080, 1920, 3)
    assert (len(after), rate_after) == (len(before), rate) == (4, Fraction(30000, 1001))
    assert abs(tone_after.shape[1] - tone.shape[1]) <= 2048  # AAC counts in frames of 1,024
    spectrum = np.abs(np.fft.rfft(tone_after[0]))
    assert spectrum.argmax() / tone_after.shape[1] * RATE == pytest.approx(440, abs=8)
    for small, large in zip(before, after, strict=True):  # the same picture, and its own frame
        reduced = np.asarray(Image.fromarray(large).resize((1280, 720)))
        assert np.abs(reduced.astype(int) - small).mean() < 12
    assert steps == [(n, 4) for n in range(5)]


@pytest.mark.parametrize(
    ("name", "factor"), [("real_esrgan", 4), ("real_esrgan_video", 4), ("real_esrgan_x2", 2)]
)
def test_a_picture_is_enlarged_by_either_kind_of_net(loaded, tmp_path, name, factor):
    family, resident = loaded(name)
    path = tmp_path / "small.png"
    Image.new("RGB", (24, 16), (200, 80, 20)).save(path)
    shape = enlarged_shape(UpscaleTask(media=THERE, factor=factor), path)
    pixels = family.run(resident, order(path, shape), lambda *_: None)[0].pixels
    assert (pixels.shape, pixels.dtype) == ((16 * factor, 24 * factor, 3), np.uint8)


def test_tiles_leave_no_seam(loaded, monkeypatch):
    _, resident = loaded("real_esrgan_x2")
    pixels = np.random.default_rng(4).integers(0, 255, (40, 56, 3), dtype=np.uint8)
    whole = upscaler.enlarged(resident.pipeline, pixels)
    monkeypatch.setattr(upscaler, "_TILE", 24)
    assert np.abs(upscaler.enlarged(resident.pipeline, pixels).astype(int) - whole).max() <= 1


def test_a_clip_is_stopped_between_two_frames(loaded, clip):
    family, resident = loaded("real_esrgan_x2")

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Stopped

    shape = Shape(width=2560, height=1440, frames=6, fps=30.0)
    chunks = family.run(resident, order(clip, shape), stop)[0].chunks
    assert next(chunks).shape == (1, 1440, 2560, 3)
    with pytest.raises(Stopped):
        list(chunks)


def test_transformers_goes_on_seeing_no_torchvision(loaded):
    loaded("real_esrgan")
    assert "torchvision" not in sys.modules


@pytest.mark.parametrize(
    ("words", "field"),
    [({"factor": 3}, "factor"), ({"resolution": "900p"}, "resolution"), ({"factor": 0}, "factor")],
)
def test_a_factor_or_size_that_is_not_offered_is_refused(words, field):
    with pytest.raises(InvalidArgument) as caught:
        UpscaleTask(media=THERE, **words)
    assert caught.value.violations[0].field == field


def test_what_is_as_large_already_or_would_be_too_large_is_refused(clip, tmp_path):
    with pytest.raises(InvalidArgument, match="as large already"):
        enlarged_shape(UpscaleTask(media=THERE, resolution="720p"), clip)
    path = tmp_path / "wide.png"
    Image.new("RGB", (4000, 500)).save(path)
    with pytest.raises(InvalidArgument, match="too large"):
        enlarged_shape(UpscaleTask(media=THERE, factor=4), path)


def test_four_times_720p_is_the_shape_that_4k_is_brought_from(clip):
    shape = enlarged_shape(UpscaleTask(media=THERE, resolution="4k"), clip)
    assert (shape.width, shape.height, shape.frames) == (3840, 2160, 4)


def test_what_is_neither_clip_nor_picture_is_refused(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("nothing to see")
    with pytest.raises(InvalidArgument) as caught:
        enlarged_shape(UpscaleTask(media=THERE), path)
    assert caught.value.violations[0].field == "media"
