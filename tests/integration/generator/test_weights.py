"""Weights pulled from a hub over real HTTP, with the library that the hub's makers publish."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.errors import (
    DataLoss,
    FailedPrecondition,
    LicenceRefused,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from services.generator.adapters.hub import HuggingFaceHub
from services.generator.engines.local.installed import sources
from services.generator.usecases.weights import Weights
from services.generator.worker.installing import local_model
from tests.fakes.generator_parts import START, Clock
from tests.fakes.hub import FIRST, SECOND, Hub

REPOSITORY = "Wan-AI/tiny"
FILES = {
    "model_index.json": b'{"_class_name": "WanPipeline"}',
    "README.md": b"# a model",
    "modeling.py": b"raise SystemExit",
    "wan.safetensors": b"everything in one file",
    "transformer/config.json": b"{}",
    "transformer/model.safetensors": b"weights" * 1000,
    "transformer/model.fp16.safetensors": b"weigh",
    "transformer/model.bin": b"pickled",
    "tokenizer/spiece.model": b"pieces",
}
WANTED = [
    "model_index.json",
    "tokenizer/spiece.model",
    "transformer/config.json",
    "transformer/model.safetensors",
]


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub().serving() as hub:
        hub.publish(REPOSITORY, FILES)
        yield hub


def weights(hub: Hub, folder: Path, token: str = "", *, offline: bool = False) -> Weights:
    reader = HuggingFaceHub(token=token, endpoint=hub.url, offline=offline)
    return Weights(reader, folder, Clock())


async def test_safetensors_and_words_come_with_their_hashes_and_no_code_does(
    hub: Hub, tmp_path: Path
) -> None:
    model = local_model("wan_2_2_5b")
    there = weights(hub, tmp_path)
    lock = await there.pull(model, REPOSITORY, accepted=True)
    assert (lock.commit, lock.licence, lock.accepted) == (FIRST, "Apache-2.0", START)
    assert [file.path for file in lock.files] == WANTED
    assert sorted(set(hub.fetched)) == WANTED
    digest = hashlib.sha256(FILES["transformer/model.safetensors"]).hexdigest()
    assert {file.path: file.sha256 for file in lock.files}[WANTED[-1]] == digest
    assert there.installed() == [lock]
    assert await there.verify("wan_2_2_5b") == []
    assert sources({}, tmp_path)["wan_2_2_5b"].folder == tmp_path / "wan_2_2_5b"


async def test_the_commit_that_was_pulled_is_held_to_until_another_is_named(
    hub: Hub, tmp_path: Path
) -> None:
    model, there = local_model("wan_2_2_5b"), weights(hub, tmp_path)
    await there.pull(model, REPOSITORY, accepted=True)
    hub.publish(REPOSITORY, {**FILES, "transformer/model.safetensors": b"others" * 7}, SECOND)
    assert (await there.pull(model, REPOSITORY, accepted=True)).commit == FIRST
    moved = await there.pull(model, REPOSITORY, SECOND, accepted=True)
    assert moved.commit == SECOND
    assert await there.verify("wan_2_2_5b") == []
    with pytest.raises(FailedPrecondition, match="lies here from Wan-AI/tiny"):
        await there.pull(model, "somebody/else", accepted=True)


async def test_a_licence_is_agreed_to_before_anything_is_asked(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(LicenceRefused, match="not in EU, UK, KR"):
        await weights(hub, tmp_path).pull(local_model("hunyuan_video"), REPOSITORY)
    assert hub.fetched == []
    assert list(tmp_path.iterdir()) == []


async def test_bytes_that_are_not_the_announced_ones_do_not_stay(hub: Hub, tmp_path: Path) -> None:
    model, there = local_model("wan_2_2_5b"), weights(hub, tmp_path)
    hub.damaged.add("transformer/model.safetensors")
    with pytest.raises((DataLoss, Unavailable)):
        await there.pull(model, REPOSITORY, accepted=True)
    assert there.installed() == []
    assert not (tmp_path / "wan_2_2_5b" / "transformer" / "model.safetensors").exists()
    hub.damaged.clear()
    await there.pull(model, REPOSITORY, accepted=True)
    assert await there.verify("wan_2_2_5b") == []


async def test_whatever_changes_on_the_disk_is_seen(hub: Hub, tmp_path: Path) -> None:
    there = weights(hub, tmp_path)
    await there.pull(local_model("wan_2_2_5b"), REPOSITORY, accepted=True)
    place = tmp_path / "wan_2_2_5b"
    (place / "tokenizer" / "spiece.model").unlink()
    (place / "transformer" / "config.json").write_bytes(b"[]")
    (place / "model_index.json").write_bytes(b"{}")
    (place / "transformer" / "extra.safetensors").write_bytes(b"?")
    assert await there.verify("wan_2_2_5b") == [
        "model_index.json has 2 bytes instead of 30",
        "tokenizer/spiece.model is missing",
        "transformer/config.json has other bytes than it came with",
        "transformer/extra.safetensors did not come with it",
    ]
    with pytest.raises(NotFound):
        await there.verify("sdxl")


@pytest.mark.parametrize(
    ("repository", "error", "words"),
    [
        ("nobody/nothing", NotFound, "nobody/nothing"),
        ("gated/one", PermissionDenied, "HF_TOKEN"),
        ("pickles/only", FailedPrecondition, "safetensors"),
    ],
)
async def test_what_cannot_be_had_says_why(
    hub: Hub, tmp_path: Path, repository: str, error: type[Exception], words: str
) -> None:
    hub.publish("gated/one", FILES)
    hub.gated.add("gated/one")
    hub.publish("pickles/only", {"config.json": b"{}", "model.bin": b"x"})
    with pytest.raises(error, match=words):
        await weights(hub, tmp_path).pull(local_model("sdxl"), repository, accepted=True)


async def test_a_token_opens_what_is_gated(hub: Hub, tmp_path: Path) -> None:
    hub.publish("gated/one", FILES)
    hub.gated.add("gated/one")
    there = weights(hub, tmp_path, "hf_good")
    assert (await there.pull(local_model("flux_dev"), "gated/one", accepted=True)).size > 7000


async def test_offline_nothing_is_asked(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="HF_HUB_OFFLINE"):
        await weights(hub, tmp_path, offline=True).pull(
            local_model("sdxl"), REPOSITORY, accepted=True
        )
