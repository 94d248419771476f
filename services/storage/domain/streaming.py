"""HLS: a playlist of byte ranges in one fragmented MP4 (RFC 8216)."""

from __future__ import annotations

PLAYLIST = "hls"
MEDIA = "hls_media"
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
_MAP = "#EXT-X-MAP:URI="


def pointed_at(playlist: str, address: str) -> str:
    """Return the playlist with ``address`` in place of the only file that it names."""
    return "\n".join(_pointed(line, address) for line in playlist.splitlines()) + "\n"


def _pointed(line: str, address: str) -> str:
    if line.startswith(_MAP):
        return f'{_MAP}"{address}",{line.rpartition(",")[2]}'
    return address if line and not line.startswith("#") else line
