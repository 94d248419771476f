"""Pictures and previews show what a player shows: turned as the camera was, with square pixels."""

import subprocess
from contextlib import nullcontext
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

from services.common.errors import DataLoss
from services.storage.adapters.derive_process import make
from services.storage.adapters.line_server import answered
from tests.unit.storage.test_stowaways import FORMATS, streamed

SMPTE170M = 6
RED, BLUE = (255, 0, 0), (0, 0, 255)


def film(path: Path, *, pixel: Fraction = Fraction(1)) -> Path:
    """Half a second, red on the left and blue on the right."""
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        stream.codec_context.sample_aspect_ratio = pixel
        picture = np.zeros((90, 160, 3), dtype=np.uint8)
        picture[:, :80], picture[:, 80:] = RED, BLUE
        for _ in range(4):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        target.mux(stream.encode(None))
    return path


def seen(path: str) -> tuple[tuple[int, int], str, str]:
    """Size, and the main colours in the corners at the top left and the bottom right."""
    with av.open(path) as shown:
        picture = next(shown.decode(video=0)).to_ndarray(format="rgb24")
    height, width = picture.shape[:2]
    names = ["RGB"[int(np.argmax(picture[y, x]))] for y, x in ((4, 4), (height - 5, width - 5))]
    return (width, height), names[0], names[1]


@pytest.mark.parametrize(
    ("turn", "size", "first", "last"),
    [
        (0, (160, 90), "R", "B"),
        (90, (90, 160), "B", "R"),
        (-90, (90, 160), "R", "B"),
        (180, (160, 90), "B", "R"),
    ],
)
def test_a_camera_that_was_turned_is_turned_back(
    tmp_path: Path, turn: int, size: tuple[int, int], first: str, last: str
) -> None:
    flat, turned = film(tmp_path / "flat.mp4"), tmp_path / "turned.mp4"
    command = [get_ffmpeg_exe(), "-v", "error", "-display_rotation", str(turn), "-i", str(flat)]
    subprocess.run([*command, "-c", "copy", str(turned)], check=True)
    made = make(str(turned), str(tmp_path), 4, ["thumbnail", "poster", "preview"])
    for role in ("thumbnail", "poster", "preview"):
        assert seen(made[role]) == (size, first, last), role


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    path = film(tmp_path / "wide.mp4", pixel=Fraction(4, 3))
    made = make(str(path), str(tmp_path), 4, ["poster", "preview"])
    assert seen(made["poster"])[0] == (214, 90)
    assert seen(made["preview"])[0] == (214, 90)
    bomb = film(tmp_path / "bomb.mp4", pixel=Fraction(60_000))
    assert seen(make(str(bomb), str(tmp_path), 4, ["poster"])["poster"])[0] == (160, 90)


def high(path: Path, *told: str) -> Path:
    """A film of one second in high definition, pure green on the left and pure red on the right."""
    green = "color=lime:size=640x720:rate=8:duration=1"
    both = f"{green},pad=1280:720:0:0:red,scale=out_color_matrix=bt709,format=yuv420p"
    command = [get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", both, "-c:v", "libx264"]
    subprocess.run([*command, "-crf", "1", *told, str(path)], check=True)
    return path


@pytest.mark.parametrize("told", [("-colorspace", "bt709"), ()], ids=["told", "untold"])
def test_the_colours_of_high_definition_stay_what_they_are(
    tmp_path: Path, told: tuple[str, ...]
) -> None:
    """Of a film that does not tell, players take the matrix of BT.709 from 720 lines on."""
    path = high(tmp_path / "high.mp4", *told)
    roles = ["thumbnail", "poster", "contact_sheet", "preview", "preview_small"]
    made = make(str(path), str(tmp_path), 8, roles)
    for role in roles:
        picture = Image.open(made[role]) if made[role].endswith(".jpg") else first(made[role])
        for place, colour in ((0.1, (0, 255, 0)), (0.9, (255, 0, 0))):
            found = picture.convert("RGB").getpixel(
                (round(picture.width * place), picture.height // 10)
            )
            assert found == pytest.approx(colour, abs=8), role


def first(path: str) -> Image.Image:
    """The first picture as a player shows it that heeds what the film tells, or SD's matrix."""
    with av.open(path) as shown:
        assert shown.streams.video[0].codec_context.colorspace == SMPTE170M
        return Image.fromarray(next(shown.decode(video=0)).to_ndarray(format="rgb24"))


def test_a_preview_plays_at_the_times_of_its_film(tmp_path: Path) -> None:
    path = tmp_path / "seldom.mp4"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in [*range(10), *range(90, 100)]:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    made = make(str(path), str(tmp_path), 20, ["preview"])
    for each in (str(path), made["preview"]):
        with av.open(each) as shown:
            times = [frame.time for frame in shown.decode(video=0)]
            assert times == pytest.approx([n / 10 for n in [*range(10), *range(90, 100)]])
            assert shown.duration == pytest.approx(10_000_000, abs=100_000)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_what_is_transparent_is_drawn_on_white(tmp_path: Path, kind: str) -> None:
    logo = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    logo.paste((0, 0, 0, 255), (16, 12, 48, 36))
    path = tmp_path / "logo"
    logo.save(path, kind, **({"lossless": True} if kind == "WEBP" else {}))
    made = make(str(path), str(tmp_path), 1, ["thumbnail", "poster", "contact_sheet"])
    for role, size in (("thumbnail", (64, 48)), ("poster", (64, 48))):
        drawn = Image.open(made[role])
        assert drawn.size == size
        light = drawn.convert("L")
        assert light.crop((2, 2, 10, 8)).getextrema()[0] == pytest.approx(255, abs=5)
        assert light.crop((24, 20, 40, 28)).getextrema()[1] == pytest.approx(0, abs=5)


def told_apart(path: Path, *, frames: int, gop: int, index: bool = True) -> Path:
    """A film whose frames get lighter, each as bright as its number tells."""
    options = {"movflags": "+faststart"} if index else {}
    with av.open(str(path), "w", options=options) as target:
        stream = target.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = gop
        stream.options = {"x264-params": "scenecut=0:bframes=0"}
        for number in range(frames):
            picture = np.full((48, 64, 3), number, dtype=np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        target.mux(stream.encode(None))
    return path


def light(path: str) -> int:
    """The number of the frame that a picture shows, more or less."""
    with av.open(path) as shown:
        return round(float(next(shown.decode(video=0)).to_ndarray(format="rgb24").mean()))


@pytest.mark.parametrize(
    ("name", "gop", "face"), [("film.mp4", 20, 99), ("film.mkv", 20, 99), ("film.mp4", 200, 6)]
)
def test_the_stills_of_a_long_film_are_sought_and_not_read_up_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, gop: int, face: int
) -> None:
    path = told_apart(tmp_path / name, frames=198, gop=gop)
    read = list[int]()
    whole = make(str(path), str(tmp_path), 198, ["poster"], lambda: read.append(1))
    assert light(whole["poster"]) == pytest.approx(99, abs=3)
    assert len(read) == 188, "nearly all of a short film"
    near = 12 if gop == 20 else 6
    monkeypatch.setattr("services.storage.adapters.derive_stills.QUICK_PIXELS", 9 * near * 64 * 48)
    read.clear()
    roles = ["poster", "contact_sheet"]
    made = make(str(path), str(tmp_path), 198, roles, lambda: read.append(1))
    assert len(read) <= 9 * near
    assert light(made["poster"]) == pytest.approx(face, abs=12)
    with av.open(made["contact_sheet"]) as sheet:
        tiles = next(sheet.decode(video=0)).to_ndarray(format="gray")
    found = [round(float(row[10 + 66 * column])) for row in tiles[10::50] for column in range(3)]
    assert found == sorted(found), "in the order of the film"
    if gop == 20:
        assert len({*found}) >= 8, "spread over it"
        assert 160 <= found[-1] <= 198


def test_a_film_that_has_far_more_pixels_than_it_tells_of_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each frame may have a size of its own, whatever the container says."""
    path, read = told_apart(tmp_path / "film.mp4", frames=198, gop=20), list[int]()
    monkeypatch.setattr("services.storage.adapters.derive_stills.QUICK_PIXELS", 2 * 64 * 48)
    with pytest.raises(DataLoss, match="more than the"):
        make(str(path), str(tmp_path), 3, ["preview"], lambda: read.append(1))
    assert len(read) == 8 * 3
    monkeypatch.setattr("services.storage.adapters.derive_stills.QUICK_PIXELS", 1 << 32)
    monkeypatch.setattr("services.storage.adapters.derive_stills.LONG_PIXELS", 50 * 64 * 48)
    for role in ("preview", "poster"):
        read.clear()
        with pytest.raises(DataLoss) if role == "preview" else nullcontext():
            made = make(str(path), str(tmp_path), 198, [role], lambda: read.append(1))
        assert len(read) == 50
    assert light(made["poster"]) == pytest.approx(33, abs=3), "the last of those before the middle"


def test_what_is_made_of_a_film_tells_that_it_gets_on(tmp_path: Path) -> None:
    path = told_apart(tmp_path / "film.mp4", frames=20, gop=5)
    for role in ("poster", "preview", "hls"):
        told = list[int]()
        make(str(path), str(tmp_path), 20, [role], partial(told.append, 1))
        assert len(told) >= 15, role


@pytest.mark.parametrize("kind", ["image/gif", "video/webm", "video/x-matroska"])
def test_a_long_film_without_an_index_has_stills_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    muxer, told = FORMATS[kind]
    path = tmp_path / "film"
    path.write_bytes(streamed(muxer, ["testsrc=size=64x48:rate=8:duration=5", *told[1:]]))
    monkeypatch.setattr("services.storage.adapters.derive_stills.QUICK_PIXELS", 9 * 2 * 64 * 48)
    made = make(str(path), str(tmp_path), 40, ["thumbnail", "contact_sheet"])
    assert made.keys() == {"thumbnail", "contact_sheet"}


def test_a_film_without_a_picture_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w", options={"movflags": "empty_moov"}) as target:
        stream = target.add_stream("libx264", rate=8)
        stream.width, stream.height = 160, 90
        target.start_encoding()
    asked = {"source": str(path), "folder": str(tmp_path), "frames": 1, "roles": ["poster"]}
    assert answered(make, asked)["kind"] == "media"
