from dataclasses import replace
from typing import Any

import pytest

from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.catalogue import Catalogue
from services.generator.domain.limits import validate_request
from services.generator.domain.models import BatchDiscount, Price, PriceKind, PriceTier
from services.generator.domain.pricing import estimate_micros
from services.generator.domain.tasks import ImageTask, Media, SpeechTask, VideoTask

LIVE = load_catalogue()
SEED = load_catalogue("seed-2025")
PNG = Media(data=b"x")


def video(**values: Any) -> VideoTask:
    return VideoTask(prompt="x", **values)


@pytest.mark.parametrize(
    ("catalogue", "model_id", "task", "micros"),
    [
        (LIVE, "runway_gen4_5", video(duration_seconds=5), 600_000),
        (LIVE, "pika_v2", video(duration_seconds=5, resolution="1080p"), 450_000),
        (LIVE, "pika_v2", video(duration_seconds=10, resolution="1080p"), None),
        (LIVE, "luma_ray_3_2", video(duration_seconds=10, resolution="720p"), 900_000),
        (LIVE, "kling", video(duration_seconds=10, resolution="1080p", audio=True), 1_680_000),
        (LIVE, "kling", video(duration_seconds=10, resolution="1080p", audio=False), 1_120_000),
        (LIVE, "fal_veo_3_1", video(duration_seconds=8, resolution="720p"), 3_200_000),
        (LIVE, "fal_veo_3_1", video(duration_seconds=8, resolution="4k"), None),
        (LIVE, "minimax_h3", video(duration_seconds=5, resolution="2K"), 650_000),
        (LIVE, "minimax", video(duration_seconds=5), 50_000),
        (LIVE, "minimax", video(duration_seconds=7), 100_000),
        (LIVE, "storyboard", video(duration_seconds=60), 0),
        (LIVE, "huggingface_api", video(duration_seconds=5), None),
        (LIVE, "vllm_omni", video(duration_seconds=5), None),
        (LIVE, "fal_flux", ImageTask(prompt="x", count=7), 21_000),
        (LIVE, "openai_tts", SpeechTask(text="x" * 1000), 15_000),
        (LIVE, "openai_tts", SpeechTask(text="x"), 15),
        (LIVE, "elevenlabs", SpeechTask(text="x" * 33), 3_300),
        (SEED, "kling", video(duration_seconds=5), 920_000),
        (SEED, "minimax", video(duration_seconds=5), 50_000),
        (SEED, "fal_flux", ImageTask(prompt="x"), 3_000),
        (SEED, "elevenlabs", SpeechTask(text="x" * 1000), 300_000),
    ],
)
def test_the_price_of_a_task_is_exact_and_an_unknown_one_stays_unknown(
    catalogue: Catalogue, model_id: str, task: Any, micros: int | None
) -> None:
    assert estimate_micros(catalogue.get(model_id), task) == micros


def test_a_fraction_of_a_micro_dollar_is_rounded_up() -> None:
    assert estimate_micros(LIVE.get("runway_gen4_5"), video(duration_seconds=3.0000001)) == 360_001


def test_a_price_per_second_of_an_open_length_is_unknown_until_the_model_fills_it_in() -> None:
    model = LIVE.get("runway_gen4_5")
    assert estimate_micros(model, video()) is None
    assert estimate_micros(model, validate_request(model, video()).task) == 600_000


@pytest.mark.parametrize(
    ("video_model", "speech_model", "characters", "of_5", "of_30", "of_100"),
    [
        ("minimax", "openai_tts", 67, 270_000, 1_620_000, 5_400_000),
        ("kling", "elevenlabs", 33, 4_665_000, 27_990_000, 93_300_000),
    ],
)
def test_the_first_designs_figures_come_out_exactly(
    video_model: str, speech_model: str, characters: int, of_5: int, of_30: int, of_100: int
) -> None:
    parts: dict[str, Any] = {
        "fal_flux": ImageTask(prompt="x"),
        video_model: video(duration_seconds=5),
        speech_model: SpeechTask(text="x" * characters),
    }
    prices = [estimate_micros(SEED.get(name), task) for name, task in parts.items()]
    # The document states a shot's parts in tenths of a cent.
    shot = sum((price + 500) // 1000 * 1000 for price in prices if price is not None)
    assert None not in prices
    assert [shot * count for count in (5, 30, 100)] == [of_5, of_30, of_100]


BULK = replace(
    LIVE.get("minimax"),
    price=replace(
        LIVE.get("minimax").price,
        batches=(BatchDiscount(at_least=5, percent=10), BatchDiscount(at_least=20, percent=33)),
    ),
)


@pytest.mark.parametrize(
    ("together", "micros"),
    [(1, 50_000), (4, 50_000), (5, 45_000), (19, 45_000), (20, 33_500), (500, 33_500)],
)
def test_a_discount_for_batches_holds_from_its_size_on(together: int, micros: int) -> None:
    assert estimate_micros(BULK, video(duration_seconds=5), together) == micros
    # Two started units cost twice what one does.
    assert estimate_micros(BULK, video(duration_seconds=7), together) == 2 * micros


def test_what_is_left_of_a_discounted_price_is_rounded_up() -> None:
    odd = Price(
        PriceKind.PER_CLIP,
        tiers=(PriceTier(101),),
        batches=(BatchDiscount(at_least=2, percent=50),),
    )
    assert odd.amount_micros({}, together=2) == 51
    assert Price(PriceKind.FREE, batches=odd.batches).amount_micros({}, together=2) == 0


def test_a_length_that_nobody_has_a_price_for_stays_unknown_in_a_batch() -> None:
    assert estimate_micros(LIVE.get("huggingface_api"), video(duration_seconds=5), 100) is None
