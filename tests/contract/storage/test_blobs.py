"""What every blob store promises, on a folder and on real S3 servers."""

import asyncio
import hashlib
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from services.common.errors import DataLoss
from services.common.media_urls import MediaUrlSigner
from services.storage.domain.assets import Asset, AssetState, Description
from services.storage.domain.keys import ObjectKey
from services.storage.domain.ports import BlobStore, KeyTakenError, ObjectFacts, StagedFile

pytestmark = pytest.mark.timeout(60)

KEY = "videos/acme/20250812_143052-creative-123-001.mp4"
FACTS = ObjectFacts("video/mp4", {"tenant": "acme", "creative_id": "creative-123"})
MIB = 1024 * 1024


def staged(tmp_path: Path, data: bytes) -> StagedFile:
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.part"
    path.write_bytes(data)
    return StagedFile(path, len(data), hashlib.sha256(data).hexdigest())


async def everything(
    blobs: BlobStore, key: str, offset: int = 0, length: int | None = None
) -> bytes:
    return b"".join([chunk async for chunk in blobs.read(key, offset=offset, length=length)])


async def test_a_published_object_reads_back_with_its_facts(
    blobs: BlobStore, tmp_path: Path
) -> None:
    data = os.urandom(700_000)
    await blobs.publish(staged(tmp_path, data), KEY, FACTS)
    info = await blobs.head(KEY)
    assert info is not None
    assert (info.key, info.size_bytes, info.content_type) == (KEY, len(data), "video/mp4")
    assert dict(info.metadata) == FACTS.metadata
    assert abs(info.modified - datetime.now(UTC)) < timedelta(minutes=1)
    assert await everything(blobs, KEY) == data


async def test_an_object_of_several_parts_reads_back(blobs: BlobStore, tmp_path: Path) -> None:
    data = os.urandom(20 * MIB + 17)
    await blobs.publish(staged(tmp_path, data), KEY, FACTS)
    assert await everything(blobs, KEY) == data
    info = await blobs.head(KEY)
    assert info is not None
    assert dict(info.metadata) == FACTS.metadata


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, 5, b"01234"), (5, None, b"56789"), (3, 4, b"3456"), (10, None, b""), (4, 0, b"")],
)
async def test_a_part_of_an_object_can_be_read(
    blobs: BlobStore, tmp_path: Path, offset: int, length: int | None, expected: bytes
) -> None:
    await blobs.publish(staged(tmp_path, b"0123456789"), KEY, FACTS)
    if offset == 10:
        length = 0
    assert await everything(blobs, KEY, offset, length) == expected


async def test_chunks_are_at_most_256_kib(blobs: BlobStore, tmp_path: Path) -> None:
    await blobs.publish(staged(tmp_path, bytes(3 * MIB)), KEY, FACTS)
    sizes = [len(chunk) async for chunk in blobs.read(KEY)]
    assert max(sizes) == 256 * 1024
    assert sum(sizes) == 3 * MIB


@pytest.mark.parametrize("size", [1000, 9 * MIB], ids=["one request", "parts"])
async def test_a_taken_key_is_refused_and_keeps_its_bytes(
    blobs: BlobStore, tmp_path: Path, size: int
) -> None:
    await blobs.publish(staged(tmp_path, b"first"), KEY, FACTS)
    with pytest.raises(KeyTakenError):
        await blobs.publish(staged(tmp_path, os.urandom(size)), KEY, FACTS)
    assert await everything(blobs, KEY) == b"first"


async def test_of_sixteen_writers_of_one_key_exactly_one_wins(
    blobs: BlobStore, tmp_path: Path
) -> None:
    files = [staged(tmp_path, f"writer {number}".encode()) for number in range(16)]
    facts = [ObjectFacts("video/mp4", {"writer": str(number)}) for number in range(16)]
    outcomes = await asyncio.gather(
        *(blobs.publish(file, KEY, fact) for file, fact in zip(files, facts, strict=True)),
        return_exceptions=True,
    )
    winners = [number for number, outcome in enumerate(outcomes) if outcome is None]
    assert len(winners) == 1
    assert all(isinstance(each, KeyTakenError) for each in outcomes if each is not None)
    assert await everything(blobs, KEY) == f"writer {winners[0]}".encode()
    info = await blobs.head(KEY)
    assert info is not None
    assert info.metadata == {"writer": str(winners[0])}


async def test_a_clone_has_the_same_bytes_and_a_life_of_its_own(
    blobs: BlobStore, tmp_path: Path
) -> None:
    await blobs.publish(staged(tmp_path, b"the bytes"), KEY, FACTS)
    other = ObjectFacts("video/mp4", {"tenant": "acme", "iteration": "2"})
    await blobs.clone(KEY, "videos/acme/second.mp4", other)
    await blobs.delete(KEY)
    assert await everything(blobs, "videos/acme/second.mp4") == b"the bytes"
    info = await blobs.head("videos/acme/second.mp4")
    assert info is not None
    assert info.metadata["iteration"] == "2"


async def test_a_clone_never_overwrites(blobs: BlobStore, tmp_path: Path) -> None:
    await blobs.publish(staged(tmp_path, b"one"), KEY, FACTS)
    await blobs.publish(staged(tmp_path, b"two"), "videos/acme/two.mp4", FACTS)
    with pytest.raises(KeyTakenError):
        await blobs.clone(KEY, "videos/acme/two.mp4", FACTS)
    assert await everything(blobs, "videos/acme/two.mp4") == b"two"


async def test_of_sixteen_clones_to_one_key_exactly_one_wins(
    blobs: BlobStore, tmp_path: Path
) -> None:
    sources = [f"videos/acme/{number:02d}.mp4" for number in range(16)]
    for source in sources:
        await blobs.publish(staged(tmp_path, source.encode()), source, FACTS)
    outcomes = await asyncio.gather(
        *(blobs.clone(source, KEY, FACTS) for source in sources), return_exceptions=True
    )
    winners = [source for source, outcome in zip(sources, outcomes, strict=True) if outcome is None]
    assert len(winners) == 1
    assert all(isinstance(each, KeyTakenError) for each in outcomes if each is not None)
    assert await everything(blobs, KEY) == winners[0].encode()


async def test_cloning_what_is_gone_is_data_loss(blobs: BlobStore) -> None:
    with pytest.raises(DataLoss):
        await blobs.clone(KEY, "videos/acme/two.mp4", FACTS)


async def test_deleting_twice_is_no_error_and_reading_then_is_data_loss(
    blobs: BlobStore, tmp_path: Path
) -> None:
    await blobs.publish(staged(tmp_path, b"bytes"), KEY, FACTS)
    await blobs.delete(KEY)
    await blobs.delete(KEY)
    assert await blobs.head(KEY) is None
    with pytest.raises(DataLoss):
        await everything(blobs, KEY)


def asset(content_type: str = "video/mp4") -> Asset:
    return Asset(
        id="01abc",
        tenant="acme",
        state=AssetState.STORED,
        key=ObjectKey("videos/acme/20250812_143052-creative-123", 1, "mp4"),
        description=Description(content_type=content_type),
        request_id="r",
        fingerprint="f",
        create_time=datetime.now(UTC),
        size_bytes=10,
    )


async def test_a_signed_url_tells_its_type_and_name_and_cannot_be_changed(
    blobs: BlobStore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    await blobs.publish(staged(tmp_path, b"0123456789"), KEY, FACTS)
    expires = datetime.now(UTC) + timedelta(minutes=5)
    url, ends = await blobs.sign(asset(), expires=expires, download_name="my clip ä.mp4")
    assert ends == expires
    if url.startswith("http://gateway"):
        parts = urlsplit(url)
        signer = MediaUrlSigner("a secret of the tests", now=lambda: datetime.now(UTC))
        grant = signer.verify(parts.path, dict(httpx.QueryParams(parts.query)))
        assert (grant.tenant, grant.asset_name, grant.attachment) == ("acme", "assets/01abc", True)
        return
    verify: bool | ssl.SSLContext = True
    if url.startswith("https"):
        verify = ssl.create_default_context(cafile=request.getfixturevalue("s3_tls").verify)
    async with httpx.AsyncClient(verify=verify) as client:
        answer = await client.get(url, headers={"Range": "bytes=2-4"})
        assert (answer.status_code, answer.content) == (206, b"234")
        assert answer.headers["content-type"] == "video/mp4"
        assert "filename*=UTF-8''my%20clip%20%C3%A4.mp4" in answer.headers["content-disposition"]
        forged = await client.get(url.replace("creative-123-001", "creative-123-002"))
        assert forged.status_code == 403


async def test_a_store_that_works_passes_its_check(blobs: BlobStore) -> None:
    await blobs.check()


async def test_urls_name_the_place(blobs: BlobStore) -> None:
    assert blobs.url(KEY).startswith(("file:///", "s3://test-"))
    assert blobs.url(KEY).endswith(KEY)
