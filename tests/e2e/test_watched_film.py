"""A film that is watched in a terminal: the table as somebody sees it who sits before it."""

import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Suite

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _seen(command: list[str], **env: str) -> tuple[int, str]:
    """Run a command on a terminal of its own: its exit status, and all that the terminal got."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=its,
        stdout=its,
        stderr=its,
        env={**os.environ, **env},  # noqa: TID251 - a child inherits
        close_fds=True,
    )
    os.close(its)
    chunks: list[bytes] = []

    def read() -> None:
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux: everybody who wrote to the terminal has gone
                return
            if not chunk:
                return
            chunks.append(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        code = process.wait(timeout=120)
    finally:
        process.kill()
        reader.join(30)
        os.close(ours)
    return code, b"".join(chunks).decode(errors="replace")


@pytest.mark.timeout(180)
def test_a_film_is_watched_on_a_terminal_from_its_first_task_to_its_cut(
    suite: Suite, tmp_path: Path
) -> None:
    story, out = tmp_path / "story.txt", tmp_path / "film.mp4"
    story.write_text("A dhow crosses the bay.")
    main = "from services.suite.cli import main; main()"
    command = [sys.executable, "-c", main, "film", str(story), "--resolution", "480p", "--fps", "8"]
    command += ["--no-cache", "--watch", "--output", str(out), "--address", suite.grpc]
    code, drawn = _seen(
        command, PYTHONPATH=str(ROOT), COLUMNS="120", LINES="40", TERM="xterm-256color"
    )
    assert code == 0, drawn
    assert out.stat().st_size > 1000
    frames = [line.strip() for line in _CONTROL.sub("", drawn).replace("\r", "\n").split("\n")]
    percents = [int(found) for found in re.findall(r"running  (\d+) %", "\n".join(frames))]
    assert percents, drawn
    assert percents == sorted(percents)
    assert any(re.match(r"shot\s+clip\s+.*cost", frame) for frame in frames)
    assert any(re.match(r"composition\s+(waiting|\d+ %)", frame) for frame in frames)
    # The table moves where it stands, and the terminal is left as it was found.
    assert "\x1b[1A" in drawn
    assert drawn.rfind("\x1b[?25h") > drawn.rfind("\x1b[?25l")
    assert any("succeeded" in frame for frame in frames[-12:])
