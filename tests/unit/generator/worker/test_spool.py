from pathlib import Path

from services.generator.domain.facts import Cost, WordTime
from services.generator.worker.spool import Spool, Told

CLIP = b"\x00\x00\x00\x18ftypisom" + b"x" * 600_000


async def test_a_result_is_there_for_the_next_life_until_it_is_forgotten(tmp_path: Path) -> None:
    await Spool(tmp_path / "results").keep("g1", CLIP)
    spool = Spool(tmp_path / "results")
    assert await spool.has("g1")
    async with spool.opened("g1") as content:
        found = b"".join([chunk async for chunk in content.chunks])
    assert (found, content.content_type, content.size_bytes) == (CLIP, "video/mp4", len(CLIP))
    await spool.forget("g1")
    await spool.forget("g1")
    assert not await spool.has("g1")


async def test_half_a_file_is_none(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    (tmp_path / "g1.part").write_bytes(CLIP[:10])
    assert not await spool.has("g1")


async def test_what_was_said_beside_the_result_outlives_the_process(tmp_path: Path) -> None:
    words = (WordTime(text="Habari", start_seconds=0.25, end_seconds=0.5),)
    told = Told(seed=7, cost=Cost(micros=30_000, source="reported"), words=words)
    await Spool(tmp_path).keep("g1", CLIP, told)
    spool = Spool(tmp_path)
    made = await spool.made("g1")
    assert (made.seed, made.cost, made.words) == (7, told.cost, words)
    async with made.opened() as content:
        assert b"".join([chunk async for chunk in content.chunks]) == CLIP
    await spool.forget("g1")
    assert not list(tmp_path.iterdir())


async def test_a_result_of_a_version_that_kept_only_bytes_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "g1.result").write_bytes(CLIP)
    made = await Spool(tmp_path).made("g1")
    assert (made.seed, made.cost, made.words) == (None, None, ())
