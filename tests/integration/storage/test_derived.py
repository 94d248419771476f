"""Thumbnails and their kin appear by themselves and go with their parent."""

import asyncio
import io

import av
import pytest

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import FailedPrecondition
from services.storage.__main__ import running
from services.storage.settings import Settings
from tests.integration.storage.conftest import Client, client_of
from tests.integration.storage.test_assets import files_of
from tests.unit.storage.clips import mp4, png
from tests.unit.storage.test_stowaways import FORMATS, streamed

pytestmark = pytest.mark.timeout(60)
LABEL = b"digitalsourcetype/trainedAlgorithmicMedia"
ROLES = ("thumbnail", "poster", "contact_sheet", "preview")


async def derived(client: Client, name: str, count: int) -> asset_pb2.Asset:
    """The asset once it has that many derived files."""
    while True:
        asset = await client.get(name)
        if len(asset.derived) >= count:
            return asset
        await asyncio.sleep(0.05)


def size(data: bytes) -> tuple[str, int, int]:
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.name, stream.width, stream.height


async def test_a_film_gets_its_pictures_and_a_preview(settings: Settings) -> None:
    drawing = settings.model_copy(update={"derive": ",".join(ROLES)})
    async with running(drawing) as address, client_of(address) as acme:
        clip, made = mp4(size=(640, 480), seconds=2), asset_pb2.Lineage(model="google_veo")
        name = (await acme.upload(clip, "r1", creative_id="c", lineage=made)).name
        asset = await derived(acme, name, 4)
        files = {role: await acme.download(child) for role, child in asset.derived.items()}
        assert {role: size(data) for role, data in files.items()} == {
            "thumbnail": ("mjpeg", 320, 240),
            "poster": ("mjpeg", 640, 480),
            "contact_sheet": ("mjpeg", 484, 364),
            "preview": ("h264", 480, 360),
        }
        assert [role for role, data in files.items() if LABEL not in data] == []
        child = await acme.get(asset.derived["preview"])
        assert child.media.frames == 16
        assert child.key.startswith(asset.key.removesuffix(".mp4"))
        listed = await acme.stub.ListAssets(pb.ListAssetsRequest())
        assert [item.name for item in listed.assets] == [name]
        await acme.delete(name)
        for child_name in asset.derived.values():
            assert (await acme.get(child_name)).state == asset_pb2.Asset.STATE_DELETED
        assert settings.on_s3 or files_of(settings) == []


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_picture_gets_a_thumbnail_only(settings: Settings) -> None:
    drawing = settings.model_copy(update={"derive": ",".join(ROLES)})
    async with running(drawing) as address, client_of(address) as acme:
        asset = await acme.upload(png(size=(640, 320)), "r1", content_type="image/png")
        found = await derived(acme, asset.name, 1)
        assert set(found.derived) == {"thumbnail"}
        drawn = await acme.download(found.derived["thumbnail"])
        assert size(drawn) == ("mjpeg", 320, 160)
        assert LABEL not in drawn, "nobody said that a model made it"


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_what_was_missed_while_nobody_drew_is_made_up_for(settings: Settings) -> None:
    async with running(settings) as address, client_of(address) as acme:
        captions = await acme.upload(b"WEBVTT\n", "r0", content_type="text/vtt")
        name = (await acme.upload(mp4(), "r1")).name
        other = await acme.upload(streamed(*FORMATS["video/webm"]), "r2", content_type="video/webm")
    for roles, count in (("thumbnail", 1), ("thumbnail,hls", 3)):
        later = settings.model_copy(update={"derive": roles})
        async with running(later) as address, client_of(address) as acme:
            assert len((await derived(acme, name, count)).derived) == count
            film = await derived(acme, other.name, 1)
            while count > 1 and not film.missing:
                film = await acme.get(film.name)
            assert (set(film.derived), set(film.missing)) == (
                ({"thumbnail"}, set() if count == 1 else {"hls"})
            )
            assert not (await acme.get(captions.name)).derived
            if count > 1:
                with pytest.raises(FailedPrecondition, match="without encoding again"):
                    await acme.stub.SignPlaylist(pb.SignPlaylistRequest(name=film.name))
