import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from services.common.errors import ModelRetired
from services.generator.catalogue.loader import HERE, load_catalogue
from services.generator.convert.models import model_to_proto
from services.generator.domain.catalogue import Availability, Standing, Surroundings
from services.generator.domain.models import Commercial, Lifecycle, Need, PriceKind
from services.generator.domain.tasks import Operation

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CATALOGUE = load_catalogue()
STABLE = ["runway_gen3", "pika_v2", "stability_svd", "luma_dream", "google_veo", "openai_shorts"]


def around(*configured: str, device_present: bool = False, now: datetime = NOW) -> Surroundings:
    return Surroundings(now=now, configured=frozenset(configured), device_present=device_present)


@pytest.mark.parametrize(
    ("name", "lifecycle"),
    [
        ("runway_gen3", Lifecycle.RETIRED),
        ("pika_v2", Lifecycle.GA),
        ("stability_svd", Lifecycle.SELF_HOSTED),
        ("luma_dream", Lifecycle.DEPRECATED),
        ("google_veo", Lifecycle.RETIRED),
        ("openai_shorts", Lifecycle.RETIRED),
    ],
)
def test_the_six_stable_ids_tell_the_truth_about_themselves(
    name: str, lifecycle: Lifecycle
) -> None:
    model = CATALOGUE.get(name)
    assert model.id == name
    assert model.operation is Operation.VIDEO
    assert model.lifecycle_at(NOW) is lifecycle
    assert lifecycle is Lifecycle.GA or model.successors


@pytest.mark.parametrize(
    ("name", "configured", "resolved"),
    [
        ("runway_gen3", ["RUNWAY_API_KEY"], "runway_gen4_5"),
        ("pika_v2", ["FAL_API_KEY"], "pika_v2"),
        ("stability_svd", ["STABILITY_API_KEY", "STABILITY_BASE_URL"], "stability_svd_private"),
        ("luma_dream", ["LUMA_API_KEY"], "luma_ray_3_2"),
        ("luma_dream", ["LUMA_DREAM_API_KEY", "LUMA_API_KEY"], "luma_dream"),
        ("google_veo", ["GOOGLE_API_KEY"], "google_omni"),
        ("google_veo", ["VERTEX_ACCESS_TOKEN", "VERTEX_PROJECT"], "google_veo_vertex"),
        ("openai_shorts", ["VLLM_OMNI_BASE_URL", "VLLM_OMNI_MODEL"], "vllm_omni"),
    ],
)
def test_a_stable_id_resolves_to_what_is_set_up(
    name: str, configured: list[str], resolved: str
) -> None:
    assert CATALOGUE.resolve(name, around(*configured)).id == resolved


@pytest.mark.parametrize("name", ["runway_gen3", "google_veo", "openai_shorts"])
def test_a_retired_stable_id_refuses_with_its_successors_when_nothing_is_set_up(name: str) -> None:
    with pytest.raises(ModelRetired) as caught:
        CATALOGUE.resolve(name, around())
    assert caught.value.metadata["successors"].split(",")[0] in {model.id for model in CATALOGUE}


def test_svd_and_the_chains_local_rung_run_on_a_device() -> None:
    assert CATALOGUE.resolve("stability_svd", around(device_present=True)).id == "stability_svd"
    assert CATALOGUE.resolve("local_models", around(device_present=True)).id == "wan_2_2_5b"


@pytest.mark.parametrize(
    "name",
    [
        *("fal_flux", "replicate_image", "minimax", "kling", "runway", "openai_tts", "elevenlabs"),
        *("huggingface_api", "runpod_api", "replicate_api", "local_models"),
        *("hunyuan_video", "ltx_video", "musicgen", "audiogen", "xtts_v2", "bark", "kokoro"),
        *("audioldm2", "flux_dev", "real_esrgan", "sdxl", "wan_2_2_5b", "ace_step", "stable_audio"),
    ],
)
def test_every_model_that_the_documents_name_has_a_row(name: str) -> None:
    assert CATALOGUE.get(name).display_name


OURS = {"compose", "captions", "media_check", "espeak", "music_bed", "sound_effects"}


def test_the_placeholder_is_flagged_free_and_always_ready() -> None:
    sketches = [model for model in CATALOGUE if model.placeholder]
    assert [(model.id, model.operation) for model in sketches] == [
        ("storyboard", Operation.VIDEO),
        ("storyboard_still", Operation.IMAGE),
    ]
    for sketch in sketches:
        assert sketch.provider == "reelmesh"
        assert sketch.price.kind is PriceKind.FREE
        assert CATALOGUE.standing(sketch, around()).availability is Availability.READY


def test_without_any_key_or_device_only_what_runs_on_the_processor_is_ready() -> None:
    ready = {
        model.id
        for model in CATALOGUE
        if CATALOGUE.standing(model, around()).availability is Availability.READY
    }
    assert ready == {"storyboard", "storyboard_still", *OURS}


def test_with_every_key_and_a_device_only_retired_models_are_not_ready() -> None:
    every = [name for model in CATALOGUE for group in model.credentials for name in group]
    surroundings = around(*every, device_present=True)
    for model in CATALOGUE:
        wanted = Availability.READY
        if model.lifecycle is Lifecycle.RETIRED:
            wanted = Availability.RETIRED
        assert CATALOGUE.standing(model, surroundings).availability is wanted, model.id


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("runway_gen3", date(2026, 7, 30)),
        ("google_veo", date(2026, 10, 22)),
        ("openai_shorts", date(2026, 9, 24)),
        ("stability_svd_hosted", date(2025, 7, 24)),
    ],
)
def test_the_day_a_model_ended_is_kept_and_past_it_the_model_is_gone(name: str, day: date) -> None:
    model = CATALOGUE.get(name)
    assert model.retire_time is not None
    assert model.retire_time.date() == day
    assert name not in {row.id for row in CATALOGUE.living(NOW)}


def test_every_row_is_complete_enough_to_be_shown() -> None:
    for model in CATALOGUE:
        assert model.facts_as_of is not None, model.id
        assert model.licence.name, model.id
        if model.price.kind is not PriceKind.UNKNOWN:
            assert model.price.as_of, model.id
            assert model.price.source, model.id
        if model.operation is Operation.VIDEO and not model.group:
            assert model.durations.describe(), model.id
        if not model.group and not model.placeholder and model.id not in OURS:
            assert model.vendor_models, model.id
        if model.inputs.last_image is not Need.NONE:
            assert model.inputs.image is not Need.NONE, model.id


ANY_WORDS = {"storyboard", "storyboard_still"}
"""Draw whatever they are given, so nothing is translated for them."""
WORDED = {Operation.VIDEO, Operation.IMAGE, Operation.MUSIC, Operation.SOUND}


def test_every_model_that_works_from_words_says_which_languages_it_needs() -> None:
    worded = [m for m in CATALOGUE if m.operation in WORDED and m.inputs.text is not Need.NONE]
    assert len(worded) > 60
    assert {m.id for m in worded if not m.languages} == ANY_WORDS
    hosted = {m.provider for m in worded if "sw" not in m.languages and "en" in m.languages}
    vendors = {"runway", "kling", "minimax", "minimax_v2", "luma", "pika", "openai", "google"}
    assert vendors <= hosted  # their documents name no Swahili: it is translated for them


def test_every_variable_that_a_model_needs_is_spelled_as_the_house_spells_them() -> None:
    names = {name for model in CATALOGUE for group in model.credentials for name in group}
    assert all(
        re.fullmatch(
            r"[A-Z0-9_]+_(API_KEY|ACCESS_KEY|SECRET_KEY|ACCESS_TOKEN|BASE_URL|"
            r"MODEL|PROJECT|ENDPOINT_ID|PATH|SERVICE_ACCOUNT)",
            name,
        )
        for name in names
    )


@pytest.mark.parametrize("name", ["xtts_v2", "musicgen", "audiogen", "flux_dev"])
def test_models_that_may_not_be_used_commercially_say_so(name: str) -> None:
    assert CATALOGUE.get(name).licence.commercial_use is Commercial.FORBIDDEN


def test_hunyuan_names_where_its_licence_does_not_hold() -> None:
    assert CATALOGUE.get("hunyuan_video").licence.excluded_territories == ("EU", "UK", "KR")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(HERE / "runway.yaml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("lifecycle: GA", "lifecycle: ALIVE", "lifecycle"),
        ("  languages: [en]\n", "", "languages is missing"),
        ("languages: [en]", "languages: [english]", "languages"),
        ("audio: none", "audio: none\n  colour: blue", "colour"),
        ("as_of: 2026-07-10, ", "", "as_of and source are needed"),
        ("    retire_time: 2026-07-30T00:00:00Z\n", "", "retire_time"),
        ("2026-07-30T00:00:00Z", "2026-07-30T00:00:00", "time zone"),
        ('"16:9", "9:16", "4:3"', '16:9, "9:16", "4:3"', "aspect_ratios"),
        ("amount_micros: 120000", "amount_micros: -1", "amount_micros"),
        ("{minimum: 2, maximum: 10}", "{minimum: 2}", "both minimum and maximum"),
        ("image_forms: [url, data_uri]}", "image_forms: [carrier_pigeon]}", "image_forms"),
        ("successors: [runway_gen4_5", "successors: [runway_gen9", "unknown successor"),
        ("aliases: [gen4_turbo]", "aliases: [gen4.5]", "names both"),
    ],
)
def test_a_row_that_does_not_hold_together_stops_the_start(
    folder: Path, old: str, new: str, complaint: str
) -> None:
    path = folder / "runway.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=complaint):
        load_catalogue(folder=folder)


def test_a_price_list_that_names_an_unknown_model_is_refused(folder: Path) -> None:
    (folder / "prices").mkdir()
    (folder / "prices" / "mine.yaml").write_text(
        "as_of: 2026-01-01\nsource: me\nprices: {ghost: {kind: per_clip, amount_micros: 1}}\n"
    )
    with pytest.raises(ValueError, match="ghost"):
        load_catalogue("mine", folder)


def test_prices_that_were_agreed_on_are_read_from_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "agreed.yaml"
    file.write_text(
        "as_of: 2026-11-01\nsource: our contract\nprices:\n"
        "  minimax: {kind: per_clip, amount_micros: 40000, unit_seconds: 6,"
        " batches: [{at_least: 10, percent: 20}]}\n"
    )
    found = load_catalogue(str(file))
    assert found.get("minimax").price.amount_micros({}, together=10) == 32_000
    assert found.get("kling").price == load_catalogue().get("kling").price
    told = model_to_proto(found.get("minimax"), Standing(Availability.READY)).price
    assert [(each.at_least, each.percent) for each in told.batch_discounts] == [(10, 20)]


@pytest.mark.parametrize(
    "batches",
    [
        "[{at_least: 1, percent: 10}]",
        "[{at_least: 5, percent: 0}]",
        "[{at_least: 5, percent: 100}]",
        "[{at_least: 9, percent: 10}, {at_least: 5, percent: 20}]",
        "[{at_least: 5, percent: 20}, {at_least: 9, percent: 10}]",
    ],
)
def test_discounts_that_cannot_be_meant_stop_the_start(tmp_path: Path, batches: str) -> None:
    file = tmp_path / "agreed.yaml"
    file.write_text(
        "as_of: 2026-11-01\nsource: us\nprices:\n"
        f"  minimax: {{kind: per_clip, amount_micros: 1, batches: {batches}}}\n"
    )
    with pytest.raises(ValueError, match="batches"):
        load_catalogue(str(file))


def test_the_files_are_read_once_however_they_are_asked_for() -> None:
    assert load_catalogue("live") is load_catalogue()
    assert load_catalogue(prices="live") is CATALOGUE
