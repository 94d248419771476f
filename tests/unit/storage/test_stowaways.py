"""What is one thing as well as another is refused, in every format that is looked into."""

import io
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from services.common.errors import DataLoss
from services.storage.adapters.media_inspector import measure
from services.storage.adapters.mp4_boxes import C2PA_BOX
from tests.unit.storage.clips import mp4, png
from tests.unit.storage.test_sound_structure import recorded

FILM = "testsrc=size=64x48:rate=8:duration=1"
SOUND = "sine=frequency=440:duration=1"
FORMATS = {
    "video/mp4": ("mp4", [FILM]),
    "video/webm": ("webm", [FILM, "-c:v", "libvpx"]),
    "video/x-matroska": ("matroska", [FILM, "-c:v", "libx264"]),
    "image/png": ("image2pipe", [FILM, "-frames:v", "1", "-c:v", "png"]),
    "image/jpeg": ("image2pipe", [FILM, "-frames:v", "1", "-c:v", "mjpeg"]),
    "image/gif": ("gif", [FILM]),
    "image/webp": ("webp", [FILM, "-frames:v", "1", "-c:v", "libwebp"]),
    "audio/wav": ("wav", [SOUND]),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A whole file of each format, with its lengths in its headers."""
    folder = tmp_path_factory.mktemp("corpus")
    return {
        kind: encoded(folder / kind.replace("/", "."), muxer, told)
        for kind, (muxer, told) in FORMATS.items()
    }


def encoded(path: Path, muxer: str, told: list[str]) -> bytes:
    command = [get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi", "-i", *told]
    subprocess.run([*command, "-f", muxer, str(path)], check=True)
    return path.read_bytes()


def streamed(muxer: str, told: list[str]) -> bytes:
    """The same, written to where nobody can go back: no length is known."""
    command = [get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", *told, "-f", muxer, "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def archive(comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        writer.writestr("run.sh", "echo stowaway")
        writer.comment = comment
    return file.getvalue()


PAGE = b"<html><script>alert(1)</script></html>"
PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(57)
TAILS = {
    "a byte": b"x",
    "zeros": bytes(64),
    "an archive": archive(),
    "a page": PAGE,
    "a document": PDF,
    "a program": PROGRAM,
}


def look(folder: Path, data: bytes, content_type: str) -> None:
    path = folder / "file"
    path.write_bytes(data)
    measure(path, content_type)


@pytest.mark.parametrize("content_type", FORMATS)
def test_a_whole_file_is_taken_and_one_with_something_appended_is_not(
    corpus: dict[str, bytes], tmp_path: Path, content_type: str
) -> None:
    whole = corpus[content_type]
    look(tmp_path, whole, content_type)
    for name, tail in TAILS.items():
        if (content_type, name) == ("audio/wav", "a byte"):
            continue  # a byte of padding, which is written by some and by others not
        with pytest.raises(DataLoss):
            look(tmp_path, whole + tail, content_type)


@pytest.mark.parametrize("content_type", [kind for kind in FORMATS if kind != "audio/wav"])
def test_a_file_that_is_cut_off_is_refused(
    corpus: dict[str, bytes], tmp_path: Path, content_type: str
) -> None:
    whole = corpus[content_type]
    for cut in (1, 2, len(whole) // 3, len(whole) // 2, len(whole) - 20):
        with pytest.raises(DataLoss):
            look(tmp_path, whole[:-cut], content_type)


def test_a_film_that_was_written_while_it_was_made_is_taken_and_nothing_behind_it(
    tmp_path: Path,
) -> None:
    whole = streamed(*FORMATS["video/webm"])
    look(tmp_path, whole, "video/webm")
    for tail in (archive(), PAGE, b"x"):
        with pytest.raises(DataLoss, match=r"appended|archive"):
            look(tmp_path, whole + tail, "video/webm")


@pytest.mark.parametrize("name", ["webm", "matroska"])
@pytest.mark.parametrize("made", ["at once", "while it was sent"])
@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_film_of_which_a_quarter_is_zeros_is_refused(
    tmp_path: Path, name: str, made: str, quarter: int
) -> None:
    """FFmpeg goes on behind it, and tells a length that is not there."""
    told, kind = (
        [FILM, "-c:v", "libvpx", "-g", "1"],
        f"video/{'webm' if name == 'webm' else 'x-matroska'}",
    )
    whole = encoded(tmp_path / "film", name, told) if made == "at once" else streamed(name, told)
    look(tmp_path, whole, kind)
    length = len(whole) // 4
    start = quarter * length
    with pytest.raises(DataLoss, match="damaged"):
        look(tmp_path, whole[:start] + bytes(length) + whole[start + length :], kind)


def test_one_bit_of_a_film_that_is_another_is_found_by_the_sum_of_its_cluster(
    corpus: dict[str, bytes], tmp_path: Path
) -> None:
    whole = corpus["video/x-matroska"]
    place = len(whole) // 2
    broken = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    with pytest.raises(DataLoss, match="another sum"):
        look(tmp_path, broken, "video/x-matroska")


def test_sound_that_was_sent_while_it_was_made_is_taken(tmp_path: Path) -> None:
    """As some vendors send speech: a header that knows no length, and what comes until the end."""
    whole = streamed("wav", ["sine=duration=1.1"])
    assert whole[4:8] == b"\xff\xff\xff\xff"
    look(tmp_path, whole, "audio/wav")
    with pytest.raises(DataLoss, match="archive"):
        look(tmp_path, whole + archive(), "audio/wav")


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


@pytest.mark.parametrize("kind", [b"free", b"skip", b"wide", b"uuid"])
@pytest.mark.parametrize(
    "content", [archive(), PAGE, PDF, PROGRAM, bytes(2**20 - 5) + PAGE], ids=len
)
@pytest.mark.parametrize("first", [True, False])
def test_the_padding_of_a_film_holds_nothing_else(
    tmp_path: Path, kind: bytes, content: bytes, first: bool
) -> None:
    film, hidden = mp4(), box(kind, bytes(16) + content)
    head = int.from_bytes(film[:4], "big")
    look(tmp_path, film + box(kind, bytes(4096)), "video/mp4")
    with pytest.raises(DataLoss):
        look(tmp_path, film[:head] + hidden + film[head:] if first else film + hidden, "video/mp4")


def test_an_archive_that_hides_in_what_players_read_is_found(tmp_path: Path) -> None:
    film, hidden = mp4(), box(b"mdat", archive())
    with pytest.raises(DataLoss, match="archive"):
        look(tmp_path, film + hidden, "video/mp4")
    picture = png()
    look(tmp_path, picture, "image/png")
    with pytest.raises(DataLoss, match="archive"):
        look(tmp_path, noted_png(picture, archive()), "image/png")


def noted_png(picture: bytes, said: bytes) -> bytes:
    note = b"tEXtComment\0" + said
    chunk = (len(note) - 4).to_bytes(4, "big") + note + zlib.crc32(note).to_bytes(4, "big")
    return picture[:33] + chunk + picture[33:]


def noted_jpeg(picture: bytes, said: bytes) -> bytes:
    return picture[:2] + b"\xff\xfe" + (2 + len(said)).to_bytes(2, "big") + said + picture[2:]


def noted_mp3(said: bytes) -> bytes:
    frame = b"PRIV" + len(said).to_bytes(4, "big") + bytes(2) + said
    size = len(frame)
    head = b"ID3\x03\0\0" + bytes((0, 0, size >> 7, size & 0x7F))
    return head + frame + recorded("mp3", "-write_xing", "0", "-id3v2_version", "0")


@pytest.mark.parametrize("said", [PDF, b"Rar!\x1a\x07\x01\0", b"7z\xbc\xaf\x27\x1c\0\4"], ids=len)
def test_what_readers_look_for_behind_the_beginning_of_a_file_is_in_none(
    corpus: dict[str, bytes], tmp_path: Path, said: bytes
) -> None:
    picture, photo, film = png(), corpus["image/jpeg"], mp4()
    head = int.from_bytes(film[:4], "big")
    for kind, plain, both in (
        ("image/png", noted_png(picture, b"a note"), noted_png(picture, said)),
        ("image/jpeg", noted_jpeg(photo, b"a note"), noted_jpeg(photo, said)),
        ("audio/mpeg", noted_mp3(b"a note"), noted_mp3(said)),
        ("video/mp4", film, film[:head] + box(b"free", said) + film[head:]),
    ):
        look(tmp_path, plain, kind)
        with pytest.raises(DataLoss, match=r"as well|something else"):
            look(tmp_path, both, kind)


def test_a_page_that_nobody_would_show_is_left_in_a_comment(
    corpus: dict[str, bytes], tmp_path: Path
) -> None:
    """Browsers take for a page only what begins like one, and are told to guess nothing."""
    look(tmp_path, noted_jpeg(corpus["image/jpeg"], PAGE), "image/jpeg")
    look(tmp_path, noted_png(png(), b"x" * 1024 + PDF), "image/png")


@pytest.mark.parametrize("length", [0, 65_514, 65_515, 65_516, 65_535])
def test_an_archive_is_found_however_long_its_comment_is(tmp_path: Path, length: int) -> None:
    hidden = box(b"mdat", archive(bytes(length)))
    with pytest.raises(DataLoss, match="archive"):
        look(tmp_path, mp4() + hidden, "video/mp4")


def test_a_signed_manifest_and_the_pictures_of_a_phone_are_taken(
    corpus: dict[str, bytes], tmp_path: Path
) -> None:
    look(tmp_path, mp4() + box(b"uuid", C2PA_BOX + b"PK\x03\x04 by chance"), "video/mp4")
    picture = corpus["image/jpeg"]
    look(tmp_path, picture + picture, "image/jpeg")


def blank(width: int, height: int) -> bytes:
    """A PNG of one colour in 24 bits: hardly any bytes, very many pixels."""
    packer = zlib.compressobj(1)
    row = bytes(1 + 3 * width)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 2, 0, 0, 0))
    chunks = [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in chunks
    )


LOOK = """
import resource, sys
from pathlib import Path
from services.common.errors import DataLoss
from services.storage.adapters.media_inspector import measure
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    found = measure(Path(sys.argv[1]), "image/png")
    print(found.width, found.height, found.frames)
except DataLoss as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    ("side", "told"),
    [(16_384, "16384 x 16384 pixels; 1 to 67108864 can be taken"), (8_192, "8192 8192 1")],
)
def test_a_blank_picture_of_any_size_takes_no_memory_to_look_at(
    tmp_path: Path, side: int, told: str
) -> None:
    path = tmp_path / "blank.png"
    path.write_bytes(blank(side, side))
    looked = subprocess.run(
        [sys.executable, "-c", LOOK, str(path)], check=True, capture_output=True, text=True
    )
    said, grown = looked.stdout.strip().rsplit("\n", 1)
    assert said.endswith(told)
    assert int(grown) < 32, "MiB"
