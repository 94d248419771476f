"""What the structure of a picture tells, and how little a hostile one costs."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import av
import numpy as np
import pytest

from services.common.errors import DataLoss
from services.storage.adapters import media_inspector, picture_structure
from services.storage.adapters.media_formats import opened
from services.storage.adapters.media_inspector import measure
from services.storage.adapters.picture_structure import picture_in
from tests.unit.storage.clips import png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BOUND = 50


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    told = kind + content
    return struct.pack(">I", len(content)) + told + struct.pack(">I", zlib.crc32(told))


def header(width: int, height: int, bits: int = 8) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 6, 0, 0, 0))


def segment(kind: int, content: bytes = b"") -> bytes:
    return bytes((0xFF, kind)) + struct.pack(">H", 2 + len(content)) + content


def frame(width: int, height: int, bits: int = 8) -> bytes:
    return segment(0xC0, struct.pack(">BHHB", bits, height, width, 3) + bytes(9))


def jpeg(*parts: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(parts) + b"\xff\xd9"


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(data)) + data for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def canvas(width: int, height: int) -> tuple[bytes, bytes]:
    sides = ((side - 1).to_bytes(3, "little") for side in (width, height))
    return b"VP8X", bytes(4) + b"".join(sides)


def gif(*blocks: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", 16, 16, 0, 0, 0) + b"".join(blocks) + b"\x3b"


def encoded(width: int, height: int) -> bytes:
    """A JPEG that decoders read."""
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        blank = np.zeros((height, width, 3), dtype=np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(blank, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture
def written(tmp_path: Path):
    def write(data: bytes) -> Path:
        path = tmp_path / "picture"
        path.write_bytes(data)
        return path

    return write


LOOK = """
import sys
from pathlib import Path
from services.storage.adapters.picture_structure import picture_in
print(picture_in(Path(sys.argv[1]), "jpeg").width)
"""


@pytest.mark.parametrize("fill", [b"\xff" * 400_000 + b"\x00", b"\xff\xff\xd0" * 133_333])
def test_a_run_of_fill_bytes_is_gone_through_once(written, fill: bytes) -> None:
    """In a process of its own: a search that went on for minutes could not be ended here."""
    path = written(jpeg(frame(16, 12), segment(0xDA), fill))
    command = [sys.executable, "-c", LOOK, str(path)]
    looked = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert looked.stdout == "16\n"


@pytest.mark.parametrize("length", range(-3, 4))
def test_a_marker_is_found_wherever_a_search_ends(written, monkeypatch, length: int) -> None:
    monkeypatch.setattr(picture_structure, "_BLOCK", 64)
    scan = b"\xff\x00" * 32 + bytes(64 + length)
    found = picture_in(written(jpeg(frame(16, 12), segment(0xDA), scan)), "jpeg")
    assert (found.width, found.height) == (16, 12)


HUNDREDS = {
    "png": SIGNATURE + header(16, 12) + chunk(b"tEXt") * BOUND + chunk(b"IEND"),
    "jpeg": jpeg(frame(16, 12), segment(0xE0) * BOUND),
    "webp": webp(canvas(16, 12), *[(b"EXIF", b"")] * BOUND),
    "gif": gif(b"\x21\xfe" + b"\x01x" * BOUND + b"\x00"),
}


@pytest.mark.parametrize("container", HUNDREDS)
def test_a_picture_of_very_many_parts_is_refused_and_not_gone_through(
    written, monkeypatch, container: str
) -> None:
    path = written(HUNDREDS[container])
    assert picture_in(path, container).end == len(HUNDREDS[container])
    monkeypatch.setattr(picture_structure, "_MAX_ELEMENTS", BOUND)
    monkeypatch.setattr(picture_structure, "_MAX_GIF_BLOCKS", BOUND)
    with pytest.raises(DataLoss, match="too many elements"):
        picture_in(path, container)


def test_very_many_pictures_in_a_row_are_as_many_parts(written, monkeypatch) -> None:
    monkeypatch.setattr(picture_structure, "_MAX_ELEMENTS", BOUND)
    with pytest.raises(DataLoss, match="too many elements"):
        picture_in(written(jpeg(frame(16, 12)) * BOUND), "jpeg")


def test_a_png_begins_with_its_only_header(written) -> None:
    note = chunk(b"tEXt", struct.pack(">IIBBBBB", 1, 1, 8, 6, 0, 0, 0))
    for parts in (note + header(8000, 8000, 16), header(1, 1) + header(8000, 8000, 16)):
        with pytest.raises(DataLoss, match="damaged"):
            measure(written(SIGNATURE + parts + chunk(b"IEND")), "image/png")


def test_the_largest_size_that_a_picture_tells_counts(written) -> None:
    for parts in ([frame(16, 12), frame(8000, 6000)], [frame(8000, 6000), frame(16, 12)]):
        found = picture_in(written(jpeg(*parts)), "jpeg")
        assert (found.width, found.height, found.pixels) == (8000, 6000, 48_000_000)
    inner = (b"VP8L", b"\x2f" + struct.pack("<I", 7999 | 5999 << 14) + b"\x00")
    found = picture_in(written(webp(canvas(16, 12), inner)), "webp")
    assert (found.width, found.height, found.pixels) == (16, 12, 48_000_000)


def test_every_picture_in_a_row_is_a_frame_and_the_largest_counts(written) -> None:
    small, large = jpeg(frame(16, 12)), jpeg(frame(8000, 6000, 12))
    found = picture_in(written(small + large + small), "jpeg")
    assert (found.width, found.frames, found.pixels, found.depth) == (16, 3, 48_000_000, 8)


@pytest.fixture
def unpacked(monkeypatch) -> list[str]:
    """Which files were opened to be unpacked."""
    seen = list[str]()

    def told(path: Path, *rest):
        seen.append(path.name)
        return opened(path, *rest)

    monkeypatch.setattr(media_inspector, "opened", told)
    return seen


LARGE = {
    "many at once": (jpeg(frame(4000, 4000)) * 80, "image/jpeg", 80),
    "a large one behind a small one": (
        jpeg(frame(16, 12)) + jpeg(frame(8000, 6000)), "image/jpeg", 2,
    ),
    "sixteen bits": (SIGNATURE + header(4000, 4000, 16) + chunk(b"IEND"), "image/png", 1),
    "a large one in a small canvas": (
        webp(canvas(16, 12), (b"VP8L", b"\x2f" + struct.pack("<I", 7999 | 5999 << 14) + b"\x00")),
        "image/webp", 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_what_takes_much_memory_is_measured_without_being_unpacked(
    written, unpacked: list[str], name: str
) -> None:
    data, content_type, frames = LARGE[name]
    assert measure(written(data), content_type).frames == frames
    assert unpacked == []


def test_small_pictures_are_unpacked(written, unpacked: list[str]) -> None:
    assert measure(written(png()), "image/png").frames == 1
    assert measure(written(encoded(64, 48) * 3), "image/jpeg").frames == 3
    assert len(unpacked) == 2


def test_a_decoder_that_finds_a_larger_picture_than_was_told_does_not_unpack_it(
    written, monkeypatch
) -> None:
    """Whatever the structure is mistaken about, the decoder has a bound of its own."""
    small = picture_structure.Picture(16, 12, 0, 16 * 12)
    monkeypatch.setattr(media_inspector, "picture_in", lambda *_: small)
    path = written(encoded(8192, 4224))
    with pytest.raises(DataLoss):
        measure(path, "image/jpeg")
