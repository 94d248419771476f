"""How much memory models may take beside a card: what the container has, not the machine."""

from pathlib import Path

import psutil
import pytest

from services.generator.domain.vram import GIB
from services.generator.engines.local import memory


@pytest.fixture
def limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    return tmp_path


def contained(folder: Path, limit: str, used: int, files: int) -> None:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {files}\nactive_file 7\n")


def test_a_container_has_no_more_than_its_limit(limits: Path) -> None:
    contained(limits, str(GIB), GIB * 3 // 4, GIB // 4)  # weights that were read are given up
    device = memory.processor()
    assert device.total_bytes == GIB
    assert memory.free_bytes(device) == int(GIB // 2 * 0.8)


def test_a_container_that_is_full_has_nothing(limits: Path) -> None:
    contained(limits, str(GIB), GIB + 4096, 0)
    assert memory.free_bytes(memory.processor()) == 0


@pytest.mark.parametrize("limit", ["max", str(2**60), None])
def test_without_a_limit_it_is_the_machine_that_counts(limits: Path, limit: str | None) -> None:
    if limit is not None:
        contained(limits, limit, GIB, 0)
    device = memory.processor()
    assert device.total_bytes == psutil.virtual_memory().total
    assert 0 < memory.free_bytes(device) <= device.total_bytes
