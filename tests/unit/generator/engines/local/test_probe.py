"""Checkpoints are looked at before they are loaded, and what must not be loaded is refused."""

import json
import struct

import pytest

from services.common.errors import InvalidArgument
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.catalogue import Availability
from services.generator.domain.modes import PREFERRED, in_mode
from services.generator.domain.vram import GIB, Device, Mode
from services.generator.engines.local.families import FAMILIES, recognise
from services.generator.engines.local.probe import Source, folder_of, probe
from services.generator.engines.local.survey import survey
from tests.fakes.model_family import checkpoint

CATALOGUE = load_catalogue()


def test_parameters_are_counted_from_the_heads_alone(tmp_path) -> None:
    facts = probe(checkpoint(tmp_path / "a", "LTXPipeline", 13_000_000_000))
    assert facts.class_name == "LTXPipeline"
    assert facts.parameters == {"transformer": 13_000_000_000}
    assert recognise(facts).name == "ltx_video"


def test_the_digest_tells_weights_of_another_shape(tmp_path) -> None:
    one, same, other = (
        probe(checkpoint(tmp_path / name, "LTXPipeline", size))
        for name, size in (("a", 10), ("b", 10), ("c", 11))
    )
    assert one.digest == same.digest != other.digest


def test_code_of_a_checkpoint_is_never_run(tmp_path) -> None:
    with pytest.raises(InvalidArgument, match="only known libraries are loaded"):
        probe(checkpoint(tmp_path / "a", "LTXPipeline", 1, library="my_pipeline"))
    folder = tmp_path / "b"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "x.Model"}}))
    with pytest.raises(InvalidArgument, match="brings code of its own"):
        probe(folder)


def test_pickled_weights_are_not_weights(tmp_path) -> None:
    folder = checkpoint(tmp_path / "a", "LTXPipeline", 1)
    weights = folder / "transformer" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(InvalidArgument, match="no weights in safetensors"):
        probe(folder)


@pytest.mark.parametrize("data", [b"", b"123", struct.pack("<Q", 2**40), struct.pack("<Q", 0)])
def test_a_torn_file_is_told_by_its_name(tmp_path, data) -> None:
    folder = checkpoint(tmp_path / "a", "LTXPipeline", 1)
    (folder / "transformer" / "model.safetensors").write_bytes(data)
    with pytest.raises(InvalidArgument, match=r"model\.safetensors is cut short"):
        probe(folder)


def test_an_empty_folder_and_a_strange_class_are_refused(tmp_path) -> None:
    with pytest.raises(InvalidArgument, match=r"neither model_index\.json nor config\.json"):
        probe(tmp_path)
    facts = probe(checkpoint(tmp_path / "a", "AbacusPipeline", 1))
    with pytest.raises(InvalidArgument, match=r"no family loads a AbacusPipeline.*LTXPipeline"):
        recognise(facts)


def test_a_repository_needs_its_revision_and_is_not_downloaded(tmp_path) -> None:
    with pytest.raises(InvalidArgument, match=r"LOCAL_LTX_VIDEO_PATH.*needs @revision"):
        Source(model="ltx_video", location="nobody/nothing")
    source = Source(model="ltx_video", location="nobody/nothing", revision="abc")
    with pytest.raises(InvalidArgument, match="reelmesh models pull"):
        folder_of(source)
    assert folder_of(Source(model="m", location=str(tmp_path))) == tmp_path


def ltx(folder, parameters: int):
    parts = ("transformer", "text_encoder")
    return checkpoint(folder / "ltx", "LTXPipeline", parameters, parts=parts)


def stand(folder, device: Device, model: str = "ltx_video"):
    sources = {model: Source(model=model, location=str(folder))}
    rows = tuple(CATALOGUE.get(name) for name in ("ltx_video", "wan_2_2_5b", "sdxl"))
    return survey(rows, sources, device, device.total_bytes)


def test_what_is_installed_and_fits_is_ready_and_the_others_say_what_they_lack(tmp_path) -> None:
    card = Device(kind="cuda", name="card", total_bytes=24 * GIB, capability=(8, 9))
    found = stand(ltx(tmp_path, 2_000_000), card)
    assert found["ltx_video"].availability is Availability.READY
    assert found["wan_2_2_5b"].availability is Availability.NOT_INSTALLED
    assert found["wan_2_2_5b"].missing == ("LOCAL_WAN_2_2_5B_PATH",)


def test_what_fits_no_rung_of_the_card_has_no_device_and_says_the_numbers(tmp_path) -> None:
    small = Device(kind="cuda", name="small card", total_bytes=GIB, capability=(8, 9))
    found = stand(ltx(tmp_path, 13_000_000_000), small)
    assert found["ltx_video"].availability is Availability.NO_DEVICE
    assert "GiB at least, small card has 1.0 GiB" in found["ltx_video"].reason


def test_a_checkpoint_in_the_wrong_place_is_told(tmp_path) -> None:
    card = Device(kind="cuda", name="card", total_bytes=24 * GIB, capability=(8, 9))
    found = stand(checkpoint(tmp_path / "a", "LTXPipeline", 1_000_000), card, model="sdxl")
    assert found["sdxl"].availability is Availability.NOT_INSTALLED
    assert "LOCAL_SDXL_PATH" in found["sdxl"].reason
    assert "makes video, not image" in found["sdxl"].reason


def test_speed_goes_first_on_a_small_card_and_every_name_is_a_local_model() -> None:
    group = {mode: in_mode(CATALOGUE, mode).get("local_models").successors for mode in Mode}
    assert group[Mode.FAST][0] == "ltx_video"
    assert group[Mode.BALANCED][0] == "wan_2_2_5b"
    everyone = set(CATALOGUE.get("local_models").successors)
    for mode in Mode:
        assert set(group[mode]) == everyone
        assert set(PREFERRED[mode]) <= everyone


def test_every_family_has_a_name_of_its_own() -> None:
    names = [family.name for family in FAMILIES]
    assert len(names) == len(set(names))
