"""Each rule about who may import whom is broken once, and must then fail."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
NAMES = {contract["id"]: contract["name"] for contract in CONTRACTS}

# (contract, a file that breaks it, what the file says)
BREACHES = [
    ("services-independent", "orchestrator/domain/intruder.py", "import services.generator"),
    ("services-independent", "gateway/adapters/intruder.py", "import services.storage"),
    ("common-knows-no-service", "common/intruder.py", "import services.prompt"),
    ("layers-small-services", "storage/domain/intruder.py", "import services.storage.usecases"),
    ("layers-small-services", "prompt/utils.py", ""),
    (
        "layers-orchestrator",
        "orchestrator/flows/intruder.py",
        "import services.orchestrator.durable",
    ),
    ("layers-orchestrator", "orchestrator/helpers.py", ""),
    ("layers-generator", "generator/catalogue/intruder.py", "import services.generator.providers"),
    ("layers-generator", "generator/base.py", ""),
    ("layers-gateway", "gateway/domain/intruder.py", "import services.gateway.adapters"),
    ("layers-gateway", "gateway/core.py", ""),
    ("domain-plain", "orchestrator/domain/intruder.py", "import httpx"),
    ("domain-plain", "storage/domain/intruder.py", "import reelmesh.storage"),
    ("domain-plain", "prompt/domain/intruder.py", "import services.common.database"),
    (
        "providers-unaware",
        "generator/providers/intruder.py",
        "import services.generator.providers.spy",
    ),
    ("adapters-no-io", "generator/providers/intruder.py", "import httpx"),
    ("adapters-no-io", "generator/providers/intruder.py", "import asyncio"),
    ("generated-code-at-the-edge", "generator/settings.py", "import reelmesh.generator"),
    ("usecases-know-ports", "storage/usecases/intruder.py", "import sqlalchemy"),
    ("usecases-know-ports", "orchestrator/usecases/intruder.py", "import services.common.bus"),
    ("usecases-know-ports", "prompt/usecases/intruder.py", "import services.prompt.adapters"),
    ("dbos-in-one-room", "orchestrator/flows/intruder.py", "import dbos"),
    ("no-ffmpeg-beside-secrets", "storage/settings.py", "import av"),
    ("models-in-one-room", "generator/engines/intruder.py", "import torch"),
    ("models-in-one-room", "generator/worker/intruder.py", "import diffusers"),
    ("suite-enters-by-the-front-door", "suite/intruder.py", "import services.storage.usecases"),
]


def lint(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    linter = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [linter, "--no-cache", *options],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def write_module(path: Path, text: str) -> None:
    """Write a module; the packages above it come to be where they are not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for package in path.parents:
        (package / "__init__.py").touch()
        if package.name == "services":
            break
    # Over a package of the same name the module goes inside it.
    target = path.with_suffix("") / "__init__.py" if path.with_suffix("").is_dir() else path
    target.write_text(f"{text}\n")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources, to break."""
    skip = shutil.ignore_patterns("__pycache__")
    for package in ("services", "reelmesh"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.timeout(60)
def test_the_sources_keep_every_contract() -> None:
    run = lint(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{len(CONTRACTS)} kept, 0 broken" in run.stdout


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("contract", "path", "text"), BREACHES, ids=str)
def test_a_breach_is_seen(tree: Path, contract: str, path: str, text: str) -> None:
    for imported in [word for word in text.split() if word.startswith("services.")]:
        ensure_exists(tree, imported)
    write_module(tree / "services" / path, text)

    run = lint(tree, "--contract", contract)

    assert run.returncode == 1, run.stdout + run.stderr
    assert "0 kept, 1 broken" in run.stdout


def ensure_exists(tree: Path, module: str) -> None:
    place = tree.joinpath(*module.split("."))
    if place.is_dir():
        (place / "__init__.py").touch()
    elif not place.with_suffix(".py").exists():
        write_module(place.with_suffix(".py"), "")


def test_every_contract_is_broken_here_once() -> None:
    assert {contract for contract, _, _ in BREACHES} == set(NAMES)
