"""Assets, facets, metadata and pages as plain values."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelmesh.storage.v1 import asset_pb2, storage_service_pb2
from services.common.errors import InvalidArgument
from services.storage.convert import import_intake, upload_intake
from services.storage.domain.assets import (
    Asset,
    AssetState,
    Description,
    Lineage,
    asset_id,
    fingerprint,
    without_secrets,
)
from services.storage.domain.facets import Facets, checked_labels
from services.storage.domain.intake import Intake
from services.storage.domain.keys import ObjectKey
from services.storage.domain.media_types import guessed_from_path, served_as, shown_inline
from services.storage.domain.metadata import ascii_safe, object_metadata
from services.storage.domain.paging import PageRequest, next_token, read_page
from services.storage.domain.ports import StagedFile

NOW = datetime(2025, 8, 12, 14, 30, 52, tzinfo=UTC)
KEPT = st.text(
    max_size=150, alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")
)


def test_facets_are_compared_without_case_and_spaces() -> None:
    assert Facets(characters=(" Emma ", "EMMA", ""), mood="Very  Calm") == Facets(
        characters=("emma",), mood="very calm"
    )


@pytest.mark.parametrize(
    ("facets", "field"),
    [
        ({"asset_type": "hologram"}, "facets.asset_type"),
        ({"mood": "x" * 129}, "facets.mood"),
        ({"characters": ("x" * 129,)}, "facets.characters"),
        ({"styles": tuple(str(number) for number in range(33))}, "facets.styles"),
    ],
)
def test_wrong_facets_name_their_axis(facets: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Facets(**facets)  # type: ignore[arg-type]  # fields by name
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"content_type": ""}, "asset.content_type"),
        ({"content_type": "video"}, "asset.content_type"),
        ({"content_type": "video/mp4\r\nX: y"}, "asset.content_type"),
        ({"content_type": "video/mp4", "creative_id": "x" * 201}, "asset.creative_id"),
        ({"content_type": "video/mp4", "iteration": 0}, "asset.iteration"),
        ({"content_type": "video/mp4", "labels": {"": "x"}}, "asset.labels"),
        ({"content_type": "video/mp4", "labels": {"k": "x" * 129}}, "asset.labels"),
    ],
)
def test_wrong_descriptions_name_the_field(told: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Description(**told)  # type: ignore[arg-type]  # fields by name
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize(
    "kind", ["image/bmp", "image/tiff", "image/svg+xml", "video/x-msvideo", "audio/x-aiff"]
)
def test_media_that_nobody_reads_are_refused_before_their_bytes_come(kind: str) -> None:
    with pytest.raises(InvalidArgument, match=r"no kind of media.*allowed: audio/aac.*video/mp4"):
        Intake(tenant="acme", request_id="r", description=Description(content_type=kind))


@pytest.mark.parametrize(("origin", "field"), [("", "chunk"), ("https://host/clip", "uri")])
def test_an_empty_file_is_told_by_what_its_caller_has_sent(origin: str, field: str) -> None:
    described = Description(content_type="video/mp4")
    told = Intake(tenant="acme", request_id="r", description=described, origin=origin)
    with pytest.raises(InvalidArgument, match="empty") as caught:
        told.verify(StagedFile(Path("none"), 0, ""))
    assert caught.value.violations[0].field == field


def test_too_many_labels_are_refused() -> None:
    with pytest.raises(InvalidArgument):
        checked_labels({str(number): "" for number in range(65)})


@pytest.mark.parametrize(
    "name", ["", "assets/", "assets/../x", "jobs/1", "assets/a/b", "assets/" + "a" * 65]
)
def test_a_malformed_asset_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        asset_id(name)


def test_parents_must_be_assets() -> None:
    with pytest.raises(InvalidArgument):
        Lineage(parents=("videoJobs/1",))


def test_the_original_url_loses_what_could_be_secret() -> None:
    signed = "https://user:pass@cdn.example/a/b.mp4?X-Amz-Signature=secret#frag"
    assert without_secrets(signed) == "https://cdn.example/a/b.mp4"
    assert Lineage(original_url=signed).original_url == "https://cdn.example/a/b.mp4"
    assert without_secrets("//u:p@x/y?z") == "//u:p@x/y" or "?" not in without_secrets(
        "//u:p@x/y?z"
    )


def test_markup_is_served_as_plain_bytes() -> None:
    assert served_as("text/html") == "application/octet-stream"
    assert served_as("video/mp4") == "video/mp4"
    assert not shown_inline("image/svg+xml")
    assert shown_inline("image/png")


def test_the_media_type_of_an_address_is_told_by_its_path_alone() -> None:
    assert guessed_from_path("https://x/clip.MP4?f=.png") == "video/mp4"
    assert guessed_from_path("https://x/clip") == "application/octet-stream"


def asset(**told: object) -> Asset:
    return Asset(
        id="01abc",
        tenant="tenant-1",
        state=AssetState.WRITING,
        key=ObjectKey("videos/tenant-1/20250812_143052-creative-123", 2, "mp4"),
        description=Description(content_type="video/mp4", **told),  # type: ignore[arg-type]  # fields by name
        request_id="r",
        fingerprint="f",
        create_time=NOW,
        sha256="ab" * 32,
    )


def test_the_metadata_of_document_004_and_more() -> None:
    lineage = Lineage(
        job="videoJobs/1", model="m", licence="MIT", original_url="https://x/y.mp4?token=1"
    )
    found = object_metadata(asset(creative_id="creative-123", lineage=lineage), NOW)
    assert found == {
        "tenant": "tenant-1",
        "creative_id": "creative-123",
        "iteration": "2",
        "original_url": "https://x/y.mp4",
        "upload_time": "2025-08-12T14:30:52+00:00",
        "asset": "assets/01abc",
        "job": "videoJobs/1",
        "model": "m",
        "licence": "MIT",
        "sha256": "ab" * 32,
        "placeholder": "false",
    }


@given(st.text(max_size=300), st.integers(min_value=3, max_value=200))
def test_metadata_values_are_printable_ascii_of_bounded_length(value: str, limit: int) -> None:
    found = ascii_safe(value, limit)
    assert len(found) <= limit
    assert found.isascii()
    assert found == "" or found.isprintable()
    assert "%" not in found[-2:] or (len(value) >= 0 and found[-3:].startswith("%") is True)


@given(KEPT, KEPT)
def test_all_metadata_fits_into_what_s3_allows(creative: str, licence: str) -> None:
    lineage = Lineage(
        job="j" * 200,
        generation="g" * 200,
        model="m" * 200,
        provider="p" * 200,
        licence=licence,
        original_url="https://x/" + "é" * 2000,
    )
    found = object_metadata(asset(creative_id=creative, lineage=lineage), NOW)
    assert sum(len(key) + len(value) for key, value in found.items()) <= 2048


def test_fingerprints_tell_requests_apart() -> None:
    one = fingerprint(Description(content_type="video/mp4"), 1)
    assert one == fingerprint(Description(content_type="video/mp4"), 1)
    assert one != fingerprint(Description(content_type="video/mp4", placeholder=True), 1)


def test_what_older_releases_have_hashed_is_the_same_request() -> None:
    told = asset_pb2.Asset(
        content_type="video/mp4", creative_id="c", iteration=2, placeholder=True, labels={"k": "v"}
    )
    told.facets.CopyFrom(asset_pb2.Facets(characters=["Emma"], mood="calm"))
    lineage = asset_pb2.Lineage(job="videoJobs/1", model="m", seed=7, parents=["assets/1"])
    told.lineage.CopyFrom(lineage)
    told.lineage.parameters.update({"fps": 24})
    header = storage_service_pb2.UploadHeader(
        request_id="r", asset=told, sha256="AB" * 32, size_bytes=9
    )
    uploaded = upload_intake("acme", header).fingerprint
    assert uploaded == "2ed8d90ff459a84984ea55d477cee43724408eb125c32647820f9d72c98022b3"
    request = storage_service_pb2.ImportAssetRequest(
        uri="https://x.test/a.png?sig=1", request_id="r"
    )
    imported = import_intake("acme", request)
    assert imported.former_fingerprint == (
        "5a6eb05d5231949a67712630c392bc909e7d77e4471b81efa60636753e33af80"
    )
    assert imported.fingerprint == (
        "829dd20473dacb38c42085b1a45712894c93800d35a55a2a25baa4a61f3bbc46"
    )


def test_a_page_token_leads_on_and_is_bound_to_its_question() -> None:
    token = next_token("01abc", ("acme", "creative"))
    assert read_page(PageRequest(0, token), ("acme", "creative")) == (50, "01abc")
    with pytest.raises(InvalidArgument):
        read_page(PageRequest(0, token), ("other", "creative"))


@given(st.text(max_size=60))
def test_no_made_up_token_passes(token: str) -> None:
    if token:
        with pytest.raises(InvalidArgument):
            read_page(PageRequest(0, token), "scope")


@pytest.mark.parametrize("size", [-1, 201])
def test_page_sizes_out_of_range_are_refused(size: int) -> None:
    with pytest.raises(InvalidArgument):
        read_page(PageRequest(size), "scope")


def test_a_vendors_new_address_for_the_same_result_is_the_same_upload() -> None:
    def intake(url: str, model: str = "m") -> Intake:
        lineage = Lineage(generation="generations/g", model=model, original_url=url)
        described = Description(content_type="video/mp4", lineage=lineage)
        return Intake(tenant="acme", request_id="g", description=described)

    first = intake("https://cdn.example/a.mp4?signature=1")
    assert first.fingerprint == intake("https://cdn.example/a.mp4?signature=2").fingerprint
    assert first.fingerprint != intake("https://cdn.example/a.mp4?signature=1", "n").fingerprint
