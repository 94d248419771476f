"""The contract: documented, stable for clients, and what `reelmesh/` was generated from."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(60)


def make(target: str, build: Path, protos: Path = ROOT / "protos") -> tuple[int, str]:
    """Run a target on these protos; returns its exit status and what it printed."""
    places = [f"PROTOS={protos}", f"BUILD={build}", f"VENV={sys.prefix}"]
    run = subprocess.run(
        ["make", "--no-print-directory", "--assume-old=setup-dev", target, *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    return run.returncode, run.stdout + run.stderr


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """A copy of the protos, to break."""
    return Path(shutil.copytree(ROOT / "protos", tmp_path / "protos"))


def replace(protos: Path, old: str, new: str) -> None:
    service = protos / "reelmesh" / "orchestrator" / "v1" / "video_service.proto"
    text = service.read_text()
    assert old in text
    service.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("target", ["proto-lint", "proto-breaking", "proto-drift"])
def test_the_protos_pass(target: str, tmp_path: Path) -> None:
    status, output = make(target, tmp_path)
    assert status == 0, output


def test_a_field_without_a_comment_is_seen(edited: Path, tmp_path: Path) -> None:
    replace(
        edited, "message GenerateVideoRequest {", "message GenerateVideoRequest {\n  bool x = 99;\n"
    )
    status, output = make("proto-lint", tmp_path, edited)
    assert status != 0
    assert 'Field "x" should have a non-empty comment' in output


def test_a_renamed_rpc_is_seen(edited: Path, tmp_path: Path) -> None:
    replace(edited, "rpc CancelVideoJob(", "rpc StopVideoJob(")
    status, output = make("proto-breaking", tmp_path, edited)
    assert status != 0
    assert 'Previously present RPC "CancelVideoJob"' in output


def test_protos_that_were_not_regenerated_are_seen(edited: Path, tmp_path: Path) -> None:
    replace(edited, "rpc CancelVideoJob(", "rpc StopVideoJob(")
    status, output = make("proto-drift", tmp_path, edited)
    assert status != 0
    assert "video_service_pb2.py differ" in output


def test_the_contract_has_no_lint_exceptions() -> None:
    settings = (ROOT / "buf.yaml").read_text()
    assert "except" not in settings.replace("exceptions", "")
    assert [line.strip() for line in settings.splitlines() if line.startswith("    - ")] == [
        "- STANDARD",
        "- COMMENTS",
        "- google",
        "- FILE",
        "- google",
    ]
    for proto in (ROOT / "protos").rglob("*.proto"):
        assert "buf:lint:ignore" not in proto.read_text(), proto
