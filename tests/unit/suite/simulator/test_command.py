"""`reelmesh simulate` as a process."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest


@pytest.mark.timeout(60)
def test_the_command_prints_variables_that_lead_to_it_and_stops_when_told(tmp_path: Path):
    file = tmp_path / "sim.env"
    start = "from services.suite.cli import main; main()"
    command = [sys.executable, "-c", start, "simulate", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--env-file", str(file)], stdout=subprocess.PIPE, text=True
    )
    try:
        while not file.exists() or not file.read_text().endswith("\n"):
            assert process.poll() is None
            time.sleep(0.05)
        told = dict(line.split("=", 1) for line in file.read_text().splitlines())
        address = told["RUNWAY_BASE_URL"].strip("'").removesuffix("/runway")
        assert httpx.get(f"{address}/_sim/bill", trust_env=False).json()["count"] == 0
    finally:
        process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert printed.count("export ") == len(told)
