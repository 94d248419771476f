"""What a generator does with the models of its own machine, with a process that only pretends."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.common.errors import InvalidArgument
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.catalogue import Availability, Surroundings
from services.generator.domain.models import Model, PriceKind
from services.generator.domain.vendor_keys import NO_KEYS
from services.generator.domain.vram import Mode
from services.generator.engines.local.engine import LocalEngine
from services.generator.engines.local.popularity import Popularity
from services.generator.settings import Settings
from services.generator.worker import here as here_module
from services.generator.worker.here import Here, models_here
from tests.fakes.model_family import checkpoint
from tests.stack.waiting import until

MODULE = "tests.fakes.model_process"
CATALOGUE = load_catalogue()


def around(_own: object) -> Surroundings:
    return Surroundings(now=datetime(2026, 11, 21, tzinfo=UTC))


def settings(folder: Path, **kwargs: object) -> Settings:
    place = folder / "ltx"
    if not place.exists():
        parts = ("transformer", "text_encoder")
        checkpoint(place, "LTXPipeline", 1000, parts=parts)
    named = {"LOCAL_LTX_VIDEO_PATH": str(place)}
    values = {"data_dir": folder / "data", "checkpoints": named, **kwargs}
    return Settings(**values)  # type: ignore[arg-type]  # fields by name


async def opened(folder: Path, module: str = MODULE, **kwargs: object) -> Here:
    async with AsyncExitStack() as stack:
        nothing: Any = None  # no work here refers to what is stored
        return await models_here(settings(folder, **kwargs), nothing, stack, module=module)


def availability(here: Here, model: str) -> Availability:
    return CATALOGUE.standing(CATALOGUE.get(model), here.beside(around)(NO_KEYS)).availability


async def test_what_is_installed_is_ready_and_costs_nothing_on_a_processor(tmp_path) -> None:
    here = await opened(tmp_path)
    assert here.mode is Mode.CPU
    assert availability(here, "ltx_video") is Availability.READY
    assert availability(here, "local_models") is Availability.READY
    assert availability(here, "wan_2_2_5b") is Availability.NOT_INSTALLED
    listed = here.listed(CATALOGUE)
    assert listed.get("ltx_video").price.kind is PriceKind.FREE
    assert listed.resolve("local_models", here.beside(around)(NO_KEYS)).id == "ltx_video"


async def test_without_the_libraries_everything_else_goes_on(tmp_path) -> None:
    here = await opened(tmp_path, module="tests.fakes.no_such_module")
    assert here.backends == {}
    assert availability(here, "ltx_video") is Availability.NOT_INSTALLED
    assert "extra generator-gpu" in here.standings["ltx_video"].reason
    assert here.listed(CATALOGUE) is CATALOGUE


async def test_nothing_is_started_where_nothing_is_installed_or_wanted(tmp_path) -> None:
    ways: list[dict[str, object]] = [{"checkpoints": {}}, {"local": "off"}, {"local": "queue"}]
    for kwargs in ways:
        here = await opened(tmp_path, module="tests.fakes.no_such_module", **kwargs)
        assert here == Here()
        assert availability(here, "ltx_video") is Availability.NO_DEVICE


async def test_what_is_preloaded_has_run_before_the_service_is_ready(tmp_path) -> None:
    scratch = tmp_path / "scratch"
    here = await opened(tmp_path, local_preload=("ltx_video",), scratch_folder=scratch)
    assert availability(here, "ltx_video") is Availability.READY
    assert list(scratch.iterdir()) == []  # what the trial made is gone
    with pytest.raises(InvalidArgument, match=r"LOCAL_PRELOAD.*sdxl cannot run.*ltx_video"):
        await opened(tmp_path, local_preload=("sdxl",))


async def test_what_was_asked_for_most_is_loaded_at_the_next_start(tmp_path, monkeypatch) -> None:
    warmed: list[str] = []

    class Told(LocalEngine):
        async def warm_up(self, model: Model, folder: Path) -> None:
            await super().warm_up(model, folder)
            warmed.append(model.id)

    monkeypatch.setattr(here_module, "LocalEngine", Told)
    uses = Popularity(tmp_path / "data" / "popular_models.json")
    for name in ("ltx_video", "ltx_video", "sdxl"):  # the latter is not installed any more
        uses.used(name)
    nothing: Any = None
    async with AsyncExitStack() as stack:
        await models_here(settings(tmp_path), nothing, stack, module=MODULE)
        await until(lambda: warmed == ["ltx_video"], 60)


async def test_a_mode_that_the_machine_is_too_small_for_stops_the_service(tmp_path) -> None:
    with pytest.raises(InvalidArgument, match="'cinema' is no mode of this machine"):
        await opened(tmp_path, local_mode="cinema")
