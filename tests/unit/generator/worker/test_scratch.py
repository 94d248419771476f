"""What killed generators left half made goes when the next one starts, and nothing else."""

from contextlib import AsyncExitStack
from pathlib import Path

from services.generator.worker.scratch import kept_clean


def left(scratch: Path, name: str) -> Path:
    """A folder of work that nobody is at any more."""
    folder = scratch / f"{name}.work"
    folder.mkdir(parents=True)
    (folder / "made.mp4").write_bytes(b"half of a film")
    return folder


async def test_what_was_half_made_goes_and_what_was_finished_stays(tmp_path: Path) -> None:
    folder, finished = left(tmp_path, "a"), tmp_path / "b.mp4"
    finished.write_bytes(b"a film that is not stored yet")
    async with AsyncExitStack() as stack:
        await kept_clean(tmp_path, stack)
        assert not folder.exists()
        assert finished.exists()


async def test_what_another_generator_works_at_in_the_same_folder_stays(tmp_path: Path) -> None:
    async with AsyncExitStack() as first:
        await kept_clean(tmp_path / "scratch", first)
        folder = left(tmp_path / "scratch", "a")
        async with AsyncExitStack() as second:
            await kept_clean(tmp_path / "scratch", second)
            assert folder.exists()
    async with AsyncExitStack() as third:  # both are gone
        await kept_clean(tmp_path / "scratch", third)
        assert not folder.exists()
