"""Pictures and previews show what a player shows: turned as the camera was, with square pixels."""

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from services.storage.adapters.derive_process import make

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
