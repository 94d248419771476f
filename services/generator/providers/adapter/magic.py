"""What kind of media a file is, by its first bytes and not by what anybody says about it."""

_MAGIC = (
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"\x89PNG", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
)


def media_type_of(head: bytes) -> str:
    """Return the media type that the first bytes tell, "" for anything else, playlists included."""
    if head[4:8] == b"ftyp":
        return "video/quicktime" if head[8:10] == b"qt" else "video/mp4"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[:3] != b"\xff\xd8\xff":
        return "audio/mpeg"
    found = (kind for at, magic, kind in _MAGIC if head[at : at + len(magic)] == magic)
    return next(found, "")
