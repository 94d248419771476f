import asyncio
import dataclasses
import hashlib
import os
import signal
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from services.common.errors import InvalidArgument, Unavailable
from services.generator.engines.storyboard import StoryboardEngine, StoryboardSpec
from services.generator.engines.storyboard.cache import RenderCache
from services.generator.engines.workers import failure

SMALL = StoryboardSpec(
    prompt="Simba akitembea savana", width=320, height=180, fps=24, duration_seconds=1
)
LONG = dataclasses.replace(
    SMALL, prompt="Nairobi at night in the rain", fps=60, duration_seconds=15, camera_motion="orbit"
)


def quiet(_fraction: float) -> None:
    """Nobody watches."""


def boxes(path: Path) -> list[str]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        found.append(kind.decode())
        at += size
    return found


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("size", "fps", "seconds"),
    [((320, 180), 24, 1.0), ((180, 320), 30, 0.7), ((242, 178), 60, 0.5)],
)
async def test_a_clip_decodes_as_what_was_asked(
    tmp_path: Path, size, fps: int, seconds: float
) -> None:
    spec = dataclasses.replace(
        SMALL, width=size[0], height=size[1], fps=fps, duration_seconds=seconds
    )
    clip = tmp_path / "clip.mp4"
    seen: list[float] = []
    async with StoryboardEngine(tmp_path / "cache") as engine:
        rendered = await engine.render(spec, clip, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert rendered.sha256 == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert rendered.size_bytes == clip.stat().st_size
    assert boxes(clip).index("moov") < boxes(clip).index("mdat")
    with av.open(str(clip)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.pix_fmt, video.width, video.height) == (
            "h264",
            "yuv420p",
            *size,
        )
        assert (audio.codec_context.name, audio.rate, audio.channels) == ("aac", 48_000, 2)
        assert video.average_rate == fps
        assert sum(1 for _ in container.decode(video=0)) == rendered.frames == round(fps * seconds)
        assert abs(_seconds(video) - seconds) <= 1 / fps
        assert abs(_seconds(audio) - seconds) <= 1 / fps + 0.022


@pytest.mark.timeout(60)
async def test_the_sound_is_gentle_and_never_clips(tmp_path: Path) -> None:
    spec, clip = dataclasses.replace(SMALL, duration_seconds=3), tmp_path / "clip.mp4"
    async with StoryboardEngine(tmp_path / "cache") as engine:
        await engine.render(spec, clip, on_progress=quiet)
    with av.open(str(clip)) as container:
        samples = np.concatenate(
            [frame.to_ndarray() for frame in container.decode(audio=0)], axis=1
        )
    level = 10 * np.log10(np.mean(samples**2))
    assert -33 < level < -22
    assert np.abs(samples).max() < 0.95


@pytest.mark.timeout(60)
async def test_equal_specs_give_equal_bytes_even_without_the_cache(tmp_path: Path) -> None:
    digests = set()
    for attempt in range(2):
        async with StoryboardEngine(tmp_path / f"cache{attempt}") as engine:
            rendered = await engine.render(SMALL, tmp_path / f"{attempt}.mp4", on_progress=quiet)
            digests.add(rendered.sha256)
    assert len(digests) == 1


@pytest.mark.timeout(60)
async def test_an_equal_spec_is_served_from_the_cache_and_twins_draw_once(tmp_path: Path) -> None:
    seen: list[float] = []
    async with StoryboardEngine(tmp_path / "cache", workers=2) as engine:
        receipts = await asyncio.gather(
            *(
                engine.render(SMALL, tmp_path / f"{i}.mp4", on_progress=seen.append)
                for i in range(6)
            )
        )
        assert len(engine.worker_pids) == 1
    assert len({receipt.sha256 for receipt in receipts}) == 1
    assert len({(tmp_path / f"{i}.mp4").read_bytes() for i in range(6)}) == 1


@pytest.mark.timeout(60)
async def test_a_killed_worker_is_an_error_without_a_file_and_the_next_order_works(
    tmp_path: Path,
) -> None:
    begun = asyncio.Event()
    async with StoryboardEngine(tmp_path / "cache", workers=1) as engine:
        task = asyncio.create_task(
            engine.render(LONG, tmp_path / "clip.mp4", on_progress=lambda _done: begun.set())
        )
        await begun.wait()
        os.kill(engine.worker_pids[0], signal.SIGKILL)
        with pytest.raises(Unavailable, match="died"):
            await task
        assert [p.name for p in tmp_path.iterdir()] == ["cache"]
        await engine.render(SMALL, tmp_path / "next.mp4", on_progress=quiet)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "next.mp4"]


@pytest.mark.timeout(60)
async def test_cancelling_ends_the_worker_and_leaves_nothing(tmp_path: Path) -> None:
    begun = asyncio.Event()
    async with StoryboardEngine(tmp_path / "cache", workers=1) as engine:
        task = asyncio.create_task(
            engine.render(LONG, tmp_path / "clip.mp4", on_progress=lambda _done: begun.set())
        )
        await begun.wait()
        pid = engine.worker_pids[0]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert engine.worker_pids == ()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert [p.name for p in tmp_path.iterdir()] == ["cache"]
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.timeout(60)
async def test_the_event_loop_stays_free_while_a_clip_is_drawn(tmp_path: Path) -> None:
    turns = 0
    async with StoryboardEngine(tmp_path / "cache") as engine:
        task = asyncio.create_task(engine.render(SMALL, tmp_path / "clip.mp4", on_progress=quiet))
        while not task.done():
            await asyncio.sleep(0.005)
            turns += 1
        await task
    assert turns > 10, "the loop stood still while the clip was drawn"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
async def test_a_still_is_a_frame_of_the_clip(tmp_path: Path, suffix: str) -> None:
    clip, still = tmp_path / "clip.mp4", tmp_path / f"poster{suffix}"
    async with StoryboardEngine(tmp_path / "cache") as engine:
        await engine.render(SMALL, clip, on_progress=quiet)
        await engine.render_still(SMALL, still, at=0.0)
        with pytest.raises(InvalidArgument):
            await engine.render_still(SMALL, tmp_path / "poster.gif")
    with av.open(str(clip)) as container, av.open(str(still)) as poster:
        first = next(container.decode(video=0)).to_ndarray(format="gray").astype(int)
        shown = next(poster.decode(video=0)).to_ndarray(format="gray").astype(int)
    assert np.abs(first - shown).mean() < 12
    assert np.corrcoef(first.ravel(), shown.ravel())[0, 1] > 0.98


async def test_a_full_disk_is_told_as_such() -> None:
    error = failure({"errno": 28, "message": "OSError: no space"})
    assert type(error).__name__ == "ResourceExhausted"


def test_the_cache_drops_the_least_recently_used_and_survives_damage(tmp_path: Path) -> None:
    from services.generator.engines.storyboard import Rendered

    cache, source = RenderCache(tmp_path / "cache", 250), tmp_path / "clip"
    source.write_bytes(b"x" * 100)
    receipt = Rendered(
        width=2, height=2, fps=1, duration_seconds=1, frames=1, size_bytes=100, sha256=""
    )
    for name in ("a", "b"):
        cache.keep(name, source, receipt)
    assert cache.fetch("a", tmp_path / "out") == receipt
    cache.keep("c", source, receipt)
    assert cache.fetch("b", tmp_path / "out") is None
    assert cache.fetch("a", tmp_path / "out") == receipt
    (tmp_path / "cache" / "a.mp4").write_bytes(b"cut")
    assert cache.fetch("a", tmp_path / "out") is None


def _seconds(stream: Any) -> float:
    assert stream.duration is not None
    return float(stream.duration * stream.time_base)
