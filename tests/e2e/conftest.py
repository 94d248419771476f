"""The suite as a user starts it: a process of its own, reached over real sockets."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.servers.process import Server

ROOT = Path(__file__).parents[2]
OUTWARD = Path(__file__).parent / "outward"


class Suite:
    """A suite on a folder; it can be killed and started again on the same one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports_file = folder / "ports.json"
        self.addresses: dict[str, str] = {}
        self._server: Server | None = None

    def start(self, *options: str) -> None:
        """Start it on free ports and wait until it says that it is ready."""
        self.ports_file.unlink(missing_ok=True)
        self._server = Server("suite")
        command = [sys.executable, "-c", "from services.suite.cli import main; main()", "serve"]
        command += ["--data-dir", str(self.folder / "data"), "--ports-file", str(self.ports_file)]
        command += ["--port-base", "0", *options]
        paths = os.pathsep.join(map(str, (OUTWARD, ROOT)))
        outward = str(self.folder / "outward.txt")
        self._server.start(command, env={"PYTHONPATH": paths, "REELMESH_TEST_OUTWARD": outward})
        self._server.wait_until(self.ports_file.exists, seconds=90)
        self.addresses = json.loads(self.ports_file.read_text())

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._server is not None and not self._server.ended

    def rest(self) -> None:
        """End it until somebody starts it again."""
        if self.alive:
            self.kill()

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._server is not None
        self._server.kill(signal.SIGKILL)

    def interrupt(self) -> int:
        """Press Ctrl-C, wait until it has ended, and return its exit status."""
        assert self._server is not None
        return self._server.interrupt()

    def close(self) -> None:
        """End it and forget its log."""
        if self._server is not None:
            self._server.close()

    @property
    def log(self) -> str:
        """What it wrote so far."""
        assert self._server is not None
        return self._server.log.read_text(errors="replace")

    @property
    def outward(self) -> list[str]:
        """Every name that it looked up and every address beyond this machine that it spoke to."""
        file = self.folder / "outward.txt"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def url(self) -> str:
        """Where HTTP is."""
        return f"http://{self.addresses['gateway']}"

    @property
    def grpc(self) -> str:
        """Where gRPC is."""
        return self.addresses["orchestrator"]

    def cli(self, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run one command of `reelmesh` against it."""
        return reelmesh(*arguments, "--address", self.grpc, seconds=seconds)


def reelmesh(*arguments: str, seconds: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-c", "from services.suite.cli import main; main()", *arguments]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **env}  # noqa: TID251 - a child inherits
    return subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, env=variables, check=False
    )


def wait_until(found: Callable[[], bool], seconds: float = 60) -> None:
    """Look again and again until it is so."""
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def kept_suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """One suite for every test that only uses it, not started yet."""
    suite = Suite(tmp_path_factory.mktemp("suite"))
    yield suite
    suite.close()


@pytest.fixture
def suite(kept_suite: Suite) -> Suite:
    """The kept suite, running."""
    if not kept_suite.alive:
        kept_suite.start()
    return kept_suite


@pytest.fixture
def own_suite(tmp_path: Path) -> Iterator[Suite]:
    """A suite of the test's own, not started yet, to be killed and started again."""
    suite = Suite(tmp_path)
    yield suite
    suite.close()


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a browser with a player and nothing else."""
    program = shutil.which("chromium")
    assert program, "chromium is missing: run `make setup-dev`"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=program,
            args=[
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--autoplay-policy=no-user-gesture-required",
            ],
        )
        page = browser.new_page()
        page.set_content("<video></video>")
        yield page
        browser.close()
