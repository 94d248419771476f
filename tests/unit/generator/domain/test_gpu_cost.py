"""Time on a GPU in whole micro-USD: rates by name, measured seconds, loads that are shared."""

from datetime import date

import pytest

from services.generator.catalogue.gpus import gpu_rates, with_gpu_rate
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.gpu_cost import GpuUse, cost_micros, idle_micros
from services.generator.domain.models import PriceKind
from services.generator.settings import Settings

DAY = date(2026, 11, 21)


def test_the_rates_of_the_second_document():
    assert gpu_rates() == {"a6000": 790_000, "a100-40": 1_890_000, "a100-80": 2_490_000}


@pytest.mark.parametrize(
    ("use", "micros"),
    [
        (GpuUse(busy_seconds=120), 83_000),  # $0.083
        (GpuUse(busy_seconds=0), 0),
        (GpuUse(busy_seconds=0.001), 1),  # a started micro-dollar is paid
        (GpuUse(busy_seconds=100, load_seconds=60, served=3), 83_000),
        (GpuUse(busy_seconds=3600), 2_490_000),
    ],
)
def test_a_clip_pays_its_seconds_and_its_share_of_the_load(use, micros):
    assert cost_micros(gpu_rates()["a100-80"], use) == micros


@pytest.mark.parametrize(
    "wrong",
    [{"busy_seconds": -1}, {"busy_seconds": float("nan")}, {"busy_seconds": 1, "served": 0}],
)
def test_what_no_clock_measures_is_refused(wrong):
    with pytest.raises(ValueError, match="not a measurement"):
        GpuUse(**wrong)


def test_idle_time_is_told_apart_and_never_negative():
    rate = gpu_rates()["a6000"]
    assert idle_micros(rate, 3600, 1800) == 395_000
    assert idle_micros(rate, 60, 61) == 0


def test_every_model_of_this_machines_gpu_gets_the_rate_and_no_other():
    rated = with_gpu_rate(load_catalogue(), 790_000, DAY)
    for before, after in zip(load_catalogue(), rated, strict=True):
        if before.needs_device and before.price.kind is PriceKind.PER_GPU_HOUR:
            assert after.price.amount_micros({}) == 790_000
            assert after.price.as_of == DAY
        else:
            assert after == before
    assert with_gpu_rate(load_catalogue(), None, DAY) is load_catalogue()


@pytest.mark.parametrize(
    ("settings", "rate"),
    [
        ({}, None),
        ({"gpu": "a100-40"}, 1_890_000),
        ({"gpu": "a100-40", "gpu_micros_per_hour": 5}, 5),
        ({"gpu_micros_per_hour": 0}, 0),
    ],
)
def test_the_operators_own_rate_goes_before_the_tables(settings, rate):
    assert Settings(**settings).gpu_rate == rate


def test_a_card_without_a_rate_is_named_at_the_start():
    with pytest.raises(ValueError, match=r"GENERATOR_GPU.*a6000"):
        Settings(gpu="abacus")
