"""The examples run as they are, against a real suite."""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import ROOT, Suite
from tests.servers.process import find_program

pytestmark = pytest.mark.timeout(180)
PROMPT = "Two children fly a kite on a hill"


def check(answer: subprocess.CompletedProcess[str]) -> None:
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "ready: " in answer.stdout
    assert "accepted: videoJobs/" in answer.stdout
    url = answer.stdout.split("video: ")[1].strip()
    assert httpx.get(url, trust_env=False).headers["content-type"] == "video/mp4"


def test_the_python_example_needs_only_the_generated_package(suite: Suite, tmp_path: Path):
    # Only what a client installs is on the path: the example and reelmesh/, and no services/.
    shutil.copytree(ROOT / "reelmesh", tmp_path / "reelmesh")
    shutil.copy(ROOT / "examples" / "python_client.py", tmp_path)
    block = "import sys; sys.modules['services'] = None; sys.path.insert(0, '.'); "
    run = "import runpy; runpy.run_path('python_client.py', run_name='__main__')"
    command = [sys.executable, "-P", "-c", block + run, PROMPT, "--address", suite.grpc]
    check(
        subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
    )


def test_the_node_example_speaks_the_same_protos(suite: Suite, tmp_path: Path):
    folder = tmp_path / "node_client"
    ignore = shutil.ignore_patterns("node_modules")
    shutil.copytree(ROOT / "examples" / "node_client", folder, ignore=ignore)
    npm = find_program("npm")
    inherited = dict(os.environ)  # noqa: TID251 - a child inherits our environment
    path = os.pathsep.join([str(Path(npm).parent), inherited["PATH"]])
    env = {**inherited, "PATH": path, "REELMESH_PROTOS": str(ROOT / "protos")}
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    installed = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert installed.returncode == 0, installed.stderr
    node = [find_program("node"), "client.mjs", PROMPT, suite.grpc]
    check(
        subprocess.run(
            node, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
        )
    )


def test_the_lines_over_http_in_the_readme_work(suite: Suite):
    text = (ROOT / "README.md").read_text().split("Over HTTP:\n\n```sh\n")[1]
    make, follow = (
        _as_curl(line) for line in text.split("```")[0].replace("\\\n", "").splitlines()
    )
    url = make.url.replace("localhost:8080", suite.addresses["gateway"])
    # What curl says a body is where nobody else does.
    form = {"content-type": "application/x-www-form-urlencoded"}
    headers = form | dict(each.lower().split(": ") for each in make.header)
    with httpx.Client(trust_env=False) as client:
        made = client.post(f"http://{url}", content=make.data, headers=headers)
        assert made.status_code == 202, made.text
        name = made.json()["job"]["name"]
        url = follow.url.replace("localhost:8080", suite.addresses["gateway"])
        url = url.replace("videoJobs/{id}", name)
        with client.stream("GET", f"http://{url}") as events:
            assert "text/event-stream" in events.headers["content-type"]
            assert next(events.iter_lines())


def _as_curl(line: str) -> argparse.Namespace:
    """Return what a command of curl asks for."""
    curl = argparse.ArgumentParser()
    curl.add_argument("-s", action="store_true")
    curl.add_argument("-N", action="store_true")
    curl.add_argument("-H", dest="header", action="append", default=[])
    curl.add_argument("-d", dest="data")
    curl.add_argument("url")
    return curl.parse_args(shlex.split(line)[1:])
