"""The engine over its real process, with a tiny LTX-Video."""

import av
import pytest

from services.generator.engines.local.engine import LocalEngine
from services.generator.engines.local.probe import Source
from services.generator.engines.local.process import ModelProcess
from tests.fakes.local_work import clip, local_work

pytestmark = [pytest.mark.xdist_group("torch"), pytest.mark.timeout(300)]  # imports torch twice


async def test_a_clip_has_the_size_the_frames_and_the_rate_that_were_asked_for(
    shelf, tmp_path
) -> None:
    source = Source(model="ltx_video", location=str(shelf.get("ltx_video")))
    process = ModelProcess()
    engine = LocalEngine(process, {"ltx_video": source})
    told: list[float] = []
    path = tmp_path / "g1.mp4"
    try:
        work = local_work(clip(aspect_ratio="1:1", options={"local": {"steps": 2}}))
        product = await engine.make(work, path, on_progress=told.append)
    finally:
        await process.close()
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
