"""What a stored file says about its origin, and what becomes of a signature."""

import hashlib

import pytest

from reelmesh.storage.v1 import asset_pb2
from tests.integration.storage.conftest import Client
from tests.unit.storage.clips import mp4
from tests.unit.storage.recordings import KINDS, sound
from tests.unit.storage.test_media_finisher import SIGNATURES

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.parametrize("settings", ["folder"], indirect=True),
]
Provenance = asset_pb2.Provenance
MODEL_MADE = asset_pb2.Lineage(model="google_veo")


async def test_a_vendors_clip_is_finished_and_remembers_what_came(acme: Client) -> None:
    clip = mp4(faststart=False)
    asset = await acme.upload(clip, "r1", lineage=MODEL_MADE)
    data = await acme.download(asset.name)
    assert data.find(b"moov") < data.find(b"mdat")
    assert b"trainedAlgorithmicMedia" in data
    assert (asset.sha256, asset.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert asset.provenance == Provenance(
        manifest=Provenance.MANIFEST_ABSENT,
        labelled=True,
        source_sha256=hashlib.sha256(clip).hexdigest(),
    )
    assert await acme.upload(clip, "r1", lineage=MODEL_MADE) == asset


async def test_what_a_model_made_is_labelled_in_every_format(acme: Client) -> None:
    for kind, (content_type, make) in KINDS.items():
        came = make()
        asset = await acme.upload(came, kind, content_type=content_type, lineage=MODEL_MADE)
        data = await acme.download(asset.name)
        assert b"trainedAlgorithmicMedia" in data, kind
        assert (asset.sha256, asset.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
        assert asset.provenance.labelled
        assert asset.provenance.source_sha256 == hashlib.sha256(came).hexdigest()
        again = await acme.upload(came, kind, content_type=content_type, lineage=MODEL_MADE)
        assert again == asset


async def test_raw_aac_has_no_place_for_a_label_and_says_so(acme: Client) -> None:
    came = sound("adts", "aac")
    asset = await acme.upload(came, "r1", content_type="audio/aac", lineage=MODEL_MADE)
    assert await acme.download(asset.name) == came
    assert asset.provenance == Provenance(manifest=Provenance.MANIFEST_ABSENT)
    assert asset.lineage.model == MODEL_MADE.model


async def test_bytes_that_are_announced_by_their_digest_are_kept_as_they_are(acme: Client) -> None:
    clip = mp4(faststart=False)
    digest = hashlib.sha256(clip).hexdigest()
    asset = await acme.upload(clip, "r1", lineage=MODEL_MADE, sha256=digest)
    assert await acme.download(asset.name) == clip
    assert asset.provenance == Provenance(manifest=Provenance.MANIFEST_ABSENT)
    assert asset.media.index_last
    assert not (await acme.upload(clip, "r2", lineage=MODEL_MADE)).media.index_last


async def test_a_signature_is_kept_and_its_loss_in_what_is_made_from_it_is_told(
    acme: Client,
) -> None:
    signed = mp4() + SIGNATURES["short"]
    parent = await acme.upload(signed, "r1", lineage=MODEL_MADE)
    assert await acme.download(parent.name) == signed
    assert parent.provenance.manifest == Provenance.MANIFEST_KEPT
    cut = asset_pb2.Lineage(parents=[parent.name])
    child = await acme.upload(mp4(seed=1), "r2", lineage=cut)
    assert child.provenance.manifest == Provenance.MANIFEST_LOST
    grandchild = await acme.upload(
        mp4(seed=2), "r3", lineage=asset_pb2.Lineage(parents=[child.name])
    )
    assert grandchild.provenance.manifest == Provenance.MANIFEST_LOST
