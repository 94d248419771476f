"""HLS: made where the operator wants it, played by a player, gone with its film."""

from pathlib import Path

import av
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.storage.__main__ import running
from services.storage.settings import Settings
from tests.integration.storage.conftest import Client, client_of
from tests.integration.storage.test_assets import files_of
from tests.integration.storage.test_derived import derived
from tests.unit.storage.clips import mp4

pytestmark = pytest.mark.timeout(60)
# What FFmpeg's player may follow in a playlist: files, and addresses in them.
PLAYS = {"protocol_whitelist": "file,http,tcp", "allowed_extensions": "ALL"}


def frames(path: Path) -> int:
    """Frames that a player shows."""
    with av.open(str(path), options=PLAYS) as player:
        return sum(1 for _ in player.decode(video=0))


async def playlist(client: Client, name: str, seconds: int = 60) -> pb.SignPlaylistResponse:
    request = pb.SignPlaylistRequest(name=name, lifetime=Duration(seconds=seconds))
    answer: pb.SignPlaylistResponse = await client.stub.SignPlaylist(request)
    return answer


async def test_a_film_is_played_from_its_signed_playlist_and_takes_it_along(
    settings: Settings, tmp_path: Path
) -> None:
    drawing = settings.model_copy(update={"derive": "hls"})
    async with running(drawing) as address, client_of(address) as acme:
        film = await acme.upload(mp4(seconds=9, sound=True, gop=16), "r1", creative_id="c")
        film = await derived(acme, film.name, 2)
        assert set(film.derived) == {"hls", "hls_media"}
        media = await acme.get(film.derived["hls_media"])
        signed = await playlist(acme, film.name)
        ranges = [line for line in signed.playlist.splitlines() if "BYTERANGE:" in line]
        assert len(ranges) > 1, "several segments"
        static = await acme.download(film.derived["hls"])
        assert Path(media.key).name.encode() in static, "it plays from any folder that is served"
        if settings.on_s3:
            path = tmp_path / "film.m3u8"
            path.write_text(signed.playlist)
            assert frames(path) == 72
            async with httpx.AsyncClient() as anybody:
                bare = signed.playlist.partition('URI="')[2].partition("?")[0]
                assert (await anybody.get(bare)).status_code == 403
        else:
            key = (await acme.get(film.derived["hls"])).key
            assert frames(settings.asset_folder / key) == 72
            assert 'URI="/media/acme/' in signed.playlist
        async with client_of(address, "other") as other:
            with pytest.raises(NotFound):
                await playlist(other, film.name)
        with pytest.raises(InvalidArgument, match="lifetime"):
            await playlist(acme, film.name, seconds=8 * 86400)
        await acme.delete(film.name)
        for child in film.derived.values():
            assert (await acme.get(child)).state == asset_pb2.Asset.STATE_DELETED
        assert settings.on_s3 or files_of(settings) == []


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_film_without_a_rendition_says_so(acme: Client) -> None:
    film = await acme.upload(mp4(), "r1")
    with pytest.raises(FailedPrecondition, match="no HLS rendition"):
        await playlist(acme, film.name)
