"""The images of GPU nodes, as far as they can be looked at without building them."""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from services.common.nats_server import NatsServer
from services.generator.worker.gpu.settings import WorkerSettings

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "docker"
IMAGES = ["gpu-worker", "runpod-worker"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
PINS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
)
ALONE = {"runpod"}
"""Installed in an image alone: pinned there, and in no environment of ours."""
TRIED = {"grpc_tools", "setuptools", "pkg_resources", "sniffio", "_distutils_hack"}
"""What libraries import where it happens to be there."""


def text(name: str) -> str:
    return (FOLDER / f"{name}.Dockerfile").read_text().replace("\\\n", " ")


def installed(name: str) -> list[str]:
    """What pip is told to install, options aside."""
    lines = re.findall(r"pip install ([^&\n]+)", text(name))
    words = [word.strip("'") for line in lines for word in line.split()]
    return [word for word in words if not word.startswith("-") and word != "constraints.txt"]


def environment(name: str) -> dict[str, str]:
    """What an image sets."""
    lines = re.findall(r"^ENV (.+)$", text(name), re.M)
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(lines)))


def lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("hadolint")), "--no-color", *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_images_have_nothing_that_a_linter_of_dockerfiles_objects_to(tmp_path: Path) -> None:
    told = lint(*(FOLDER / f"{name}.Dockerfile" for name in IMAGES))
    assert (told.returncode, told.stdout) == (0, "")
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp && apt-get install curl\n")
    assert lint(bad).returncode != 0


@pytest.mark.parametrize("name", IMAGES)
def test_what_is_copied_exists_and_what_is_installed_is_known(name: str) -> None:
    for sources in re.findall(r"^COPY (.+) \S+$", text(name), re.M):
        assert all((ROOT / source).exists() for source in sources.split()), sources
    for script in re.findall(r"(deploy/[\w-]+\.sh)", text(name)):
        assert (ROOT / script).stat().st_mode & 0o111, f"{script} cannot be executed"
    for word in installed(name):
        if word.startswith("."):
            assert word.strip(".[]") in EXTRAS
            continue
        wanted = Requirement(word)
        if wanted.name in ALONE:
            assert [each.operator for each in wanted.specifier] == ["=="]
        else:
            assert wanted.specifier.contains(PINS[wanted.name]), word
    assert "-c constraints.txt" in text(name)
    assert not re.search(r"torchvision|torchaudio", " ".join(installed(name)))


def test_versions_of_the_extras_allow_those_that_are_tested() -> None:
    pins = {canonicalize_name(pin): version for pin, version in PINS.items()}
    for word in (word for extra in ("generator", "generator-gpu") for word in EXTRAS[extra]):
        wanted = Requirement(word)
        if canonicalize_name(wanted.name) in pins:
            version = pins[canonicalize_name(wanted.name)]
            assert wanted.specifier.contains(version), f"{word}, and {version} is tested"
        elif wanted.name != "reelmesh":  # such as torch, whose builds differ
            assert [each.operator for each in wanted.specifier] == ["=="], word


def test_a_card_can_compile_and_multiply_in_eight_bits_there() -> None:
    """Triton has no C compiler of its own: without one no compiled model makes its first step."""
    assert re.search(r"apt-install\.sh .*\bgcc\b.*\blibc6-dev\b", text("gpu-worker"))
    assert installed("gpu-worker") == [".[generator-fast]"]
    assert any(word.startswith("torchao==") for word in EXTRAS["generator-fast"])


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_runs_as_nobody_in_particular_with_settings_that_exist(name: str) -> None:
    assert re.findall(r"^USER (.+)$", text(name), re.M)[-1] == "10001"
    given = environment(name)
    assert given["LOCAL_MODELS_FOLDER"].startswith("/")
    ours = {name for name in given if name.startswith(("REELMESH_", "LOCAL_", "GPU_WORKER_"))}
    known = {str(each.validation_alias) for each in WorkerSettings.model_fields.values()}
    assert ours <= known


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_starts_a_module_that_exists(name: str) -> None:
    [command] = re.findall(r"^CMD (\[.+\])$", text(name), re.M)
    python, option, module = json.loads(command)
    assert (python, option) == ("python", "-m")
    where = ROOT.joinpath(*module.split("."))
    source = where / "__main__.py" if where.is_dir() else where.with_suffix(".py")
    assert 'if __name__ == "__main__":\n    main()' in source.read_text()


async def test_the_worker_of_an_image_starts_as_the_image_starts_it(tmp_path: Path) -> None:
    """With the image's environment, its folders moved here: it goes as far as the missing model."""
    given = environment("gpu-worker")
    here = {name: value.replace("/", f"{tmp_path}/", 1) for name, value in given.items()}
    [command] = re.findall(r"^CMD (\[.+\])$", text("gpu-worker"), re.M)
    async with NatsServer(tmp_path / "nats") as bus:
        told = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, *json.loads(command)[1:]],
            env={"PYTHONPATH": str(ROOT), "NATS_URL": bus.url, **here},
            capture_output=True,
            text=True,
            check=False,
        )
    assert told.returncode == 1
    assert told.stderr.strip().splitlines()[-1].startswith("no model is installed")
    assert (tmp_path / "data" / "device-0.lock").exists()


@pytest.mark.parametrize(
    ("modules", "besides"),
    [
        (
            ("services.generator.worker.gpu.__main__", "services.generator.worker.gpu.serverless"),
            (),
        ),
        (("services.generator.adapters.result_bucket",), ("boto3",)),
    ],
    ids=IMAGES,
)
def test_what_a_worker_imports_is_in_its_image(
    modules: tuple[str, ...], besides: tuple[str, ...]
) -> None:
    words = f"import {', '.join(modules)}, sys, json; print(json.dumps(sorted(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in json.loads(told.stdout)} - TRIED
    places = packages_distributions()
    there = closure("generator-fast") | {name for each in besides for name in within(each)}
    missing = {
        top
        for top in tops & places.keys()
        if not {canonicalize_name(owner) for owner in places[top]} & (there | {"reelmesh"})
    }
    assert missing == set()


def closure(extra: str) -> set[str]:
    """The distributions that an extra brings, as far as they are installed here."""
    found: set[str] = set()
    for word in (*EXTRAS[extra], *PROJECT["dependencies"]):
        wanted = Requirement(word)
        if wanted.name == "reelmesh":
            found |= {name for each in wanted.extras for name in closure(each)}
        else:
            found |= within(wanted.name, *wanted.extras)
    return found


@cache
def within(name: str, *extras: str) -> frozenset[str]:
    """A distribution and all that it asks for."""
    found: set[str] = {canonicalize_name(name)}
    try:
        asked = requires(name) or []
    except PackageNotFoundError:
        return frozenset(found)
    for word in asked:
        wanted = Requirement(word)
        marker: Any = wanted.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            found |= within(wanted.name, *sorted(wanted.extras))
    return frozenset(found)
