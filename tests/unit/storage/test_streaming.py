"""Playlists that point at another address."""

from services.storage.domain.streaming import pointed_at

PLAYLIST = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MAP:URI="hls_media.mp4",BYTERANGE="1357@0"
#EXTINF:4.000000,
#EXT-X-BYTERANGE:1000@1357
hls_media.mp4
#EXTINF:2.000000,
#EXT-X-BYTERANGE:500@2357
hls_media.mp4
#EXT-X-ENDLIST
"""


def test_every_address_is_replaced_and_nothing_else() -> None:
    address = "https://bucket.example.com/a,b.mp4?sig=1&x=1"
    told = pointed_at(PLAYLIST, address)
    assert told == PLAYLIST.replace("hls_media.mp4", address)
    assert pointed_at(told, "hls_media.mp4") == PLAYLIST, "it can be pointed elsewhere again"
