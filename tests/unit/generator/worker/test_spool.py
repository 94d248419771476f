from pathlib import Path

from services.generator.worker.spool import Spool

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
