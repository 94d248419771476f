"""The engine over its real process, with tiny checkpoints: it is begun once, it imports torch."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from services.generator.domain.orders import asset_media
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import SpeechTask, UpscaleTask
from services.generator.engines.heard import Heard
from services.generator.engines.local.encoding import write_clip
from services.generator.engines.local.engine import LocalEngine
from services.generator.engines.local.hearing import Hearing
from services.generator.engines.local.probe import Source
from services.generator.engines.local.process import ModelProcess
from services.generator.engines.local.seeing import Seeing
from tests.fakes.generator_parts import MemoryStorage
from tests.fakes.local_work import clip, local_work

pytestmark = [pytest.mark.xdist_group("torch"), pytest.mark.timeout(300)]  # imports torch twice


async def clip_is_as_asked(engine: LocalEngine, path: Path) -> None:
    """A clip has the size, the frames and the rate that were asked for."""
    told: list[float] = []
    work = local_work(clip(aspect_ratio="1:1", options={"local": {"steps": 2}}))
    product = await engine.make(work, path, on_progress=told.append)
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        frames = sum(1 for _ in film.decode(stream))
    # 8 frames are not 8 k + 1: more is made and cut off.
    assert (stream.width, stream.height, frames) == (480, 480, 8)
    assert stream.average_rate == 8
    assert (product.width, product.height, product.fps, product.seed) == (480, 480, 8.0, 7)
    assert product.size_bytes == path.stat().st_size
    assert told == sorted(told)
    assert product.gpu_seconds == 0
    assert "cpu float32 resident" in product.method


class Library(MemoryStorage):
    """Storage with one clip in it."""

    def __init__(self, clip: Path) -> None:
        super().__init__()
        self._clip = clip

    async def download(self, tenant: str, asset: str, destination: Path) -> str:
        assert (tenant, asset) == ("acme", "assets/a1")
        destination.write_bytes(self._clip.read_bytes())
        return "video/mp4"


async def test_one_process_makes_a_clip_enlarges_one_speaks_and_hears(shelf, tmp_path) -> None:
    small = tmp_path / "small.mp4"
    frames = np.random.default_rng(1).integers(0, 255, (3, 48, 64, 3), dtype=np.uint8)
    write_clip(small, iter([frames]), like=Shape(width=64, height=48, frames=3, fps=12.0))
    names = {"real_esrgan": "real_esrgan_video", "kokoro": "kokoro", "whisper": "whisper"}
    names |= {"clip": "clip", "ltx_video": "ltx_video"}
    sources = {
        model: Source(model=model, location=str(shelf.get(name))) for model, name in names.items()
    }
    process = ModelProcess()
    engine = LocalEngine(process, sources, Library(small))
    try:
        await clip_is_as_asked(engine, tmp_path / "g0.mp4")
        task = UpscaleTask(media=asset_media("a1"), factor=4)
        large = await engine.make(
            local_work(task, "real_esrgan"), tmp_path / "g1.mp4", on_progress=lambda _: None
        )
        speech = await engine.make(
            local_work(SpeechTask(text="Hello world."), "kokoro", "g2"),
            tmp_path / "g2.flac",
            on_progress=lambda _: None,
        )
        hearing = Hearing(process, sources["whisper"])
        heard = await hearing.words("g3", tmp_path / "g2.flac", "Hello world.", "en")
        still = tmp_path / "still.png"
        Image.new("RGB", (48, 27), "red").save(still)
        seeing = Seeing(process, sources["clip"])
        likeness = await seeing.likeness("g5", still, "A red wall")
        unseen = await seeing.likeness("g6", tmp_path / "none.png", "A red wall")
        itself = await seeing.resemblance("g7", still, still)
        none = await seeing.resemblance("g8", still, tmp_path / "none.png")
        unheard = await hearing.words("g4", tmp_path / "g2.flac", "Hello world.", "xx")
    finally:
        await process.close()
    assert (large.width, large.height, large.fps) == (256, 192, 12.0)
    assert (large.content_type, large.duration_seconds) == ("video/mp4", 0.25)
    assert [word.text for word in speech.words] == ["Hello", "world."]
    assert [word.text for word in heard.words] == ["Hello", "world."]
    assert (
        0 <= heard.words[0].start_seconds <= heard.words[1].start_seconds <= speech.duration_seconds
    )
    assert (heard.of, unheard) == (2, Heard())
    assert heard.wrong  # its weights are random: it hears something else
    assert likeness is not None
    assert -1 <= likeness <= 1
    assert unseen is None
    assert itself == pytest.approx(1.0, abs=1e-4)
    assert none is None
    assert speech.content_type == "audio/flac"
    assert 0 < speech.words[-1].end_seconds <= speech.duration_seconds + 0.05
