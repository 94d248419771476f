"""Captions in finished films: seen when their words are heard, drawn as others would draw them."""

import subprocess
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from services.common.errors import InvalidArgument
from services.generator.domain.captions import CaptionLine, CaptionsTask, CaptionStyle
from services.generator.domain.compositions import CaptionMode, Clip, ComposeTask, Role, Track
from services.generator.domain.media import Media
from services.generator.domain.tasks import SpeechTask
from services.generator.media import fonts
from services.generator.media.burning import FONTS
from services.generator.media.captioning import caption
from services.generator.media.compose import Inputs, compose
from services.generator.media.speech import say
from tests.fakes.clips import RATE, decoded, heard, make_clip

ANY = Media(url="https://example.com/any")
SIZE, FPS = (384, 216), 24
LINES = ["Habari ya asubuhi!", "Simba anatembea savana."]
BEGINS = [1.0, 3.5]

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path], Path]:
    """A clip of 6 s without sound, two lines of speech, and their captions."""
    folder = tmp_path_factory.mktemp("spoken")
    clip = make_clip(folder / "clip.mp4", frames=6 * FPS, rate=FPS, size=SIZE)
    recordings = [folder / f"{number}.flac" for number in range(2)]
    said = [
        say(SpeechTask(text=text, language="sw"), path)
        for text, path in zip(LINES, recordings, strict=True)
    ]
    lines = tuple(
        CaptionLine(text=text, start_seconds=at, words=each.words)
        for text, at, each in zip(LINES, BEGINS, said, strict=True)
    )
    task = CaptionsTask(lines=lines, language="sw", film_seconds=6.0)
    caption(task, None, [None, None], folder / "captions.srt")
    return clip, recordings, folder / "captions.srt"


def finished(parts: tuple[Path, list[Path], Path], path: Path, **task: Any) -> Path:
    clip, recordings, captions = parts
    tracks = tuple(Track(media=ANY, role=Role.DIALOGUE, at_seconds=at) for at in BEGINS)
    order = ComposeTask(clips=(Clip(media=ANY),), tracks=tracks, captions=ANY, **task)
    files = Inputs(clips=[clip], tracks=recordings, captions=captions)
    made = compose(order, files, path, lambda _: None)
    assert made.quality is not None
    assert "captions" not in " ".join(each.kind for each in made.quality.findings)
    return path


def onsets(film: Path) -> list[float]:
    """When somebody begins to speak after a second of nothing."""
    loud = np.flatnonzero(np.abs(heard(film)[0]) > 0.02) / RATE
    return [float(loud[0]), *(float(b) for b in loud[1:][np.diff(loud) > 0.5])]


def test_attached_captions_begin_with_the_words_that_are_heard(
    spoken: tuple[Path, list[Path], Path], tmp_path: Path
) -> None:
    film = finished(spoken, tmp_path / "film.mp4", caption_mode=CaptionMode.ATTACH)
    with av.open(str(film)) as file:
        told = [
            (float((packet.pts or 0) * packet.time_base), bytes(packet)[2:].decode())
            for packet in file.demux(subtitles=0)
            if packet.size > 2
        ]
    assert [text for _, text in told] == LINES
    assert [at for at, _ in told] == pytest.approx(onsets(film), abs=0.08)


def test_burnt_captions_are_lit_from_their_first_word_on(
    spoken: tuple[Path, list[Path], Path], tmp_path: Path
) -> None:
    film = finished(spoken, tmp_path / "film.mp4")
    lit = [ink(frame) > 100 for frame in decoded(film)]
    begins = [n / FPS for n in range(1, len(lit)) if lit[n] and not lit[n - 1]]
    ends = [n / FPS for n in range(1, len(lit)) if lit[n - 1] and not lit[n]]
    assert begins == pytest.approx(onsets(film), abs=0.08 + 0.5 / FPS)
    assert len(ends) >= 1, "the first one makes room for the picture"


def ink(frame: Any) -> int:
    lower = frame.to_ndarray(format="gray")[SIZE[1] * 6 // 10 :]
    return int(np.count_nonzero(lower > 200))


def burnt(folder: Path, words: str, language: str = "", **style: Any) -> Any:
    """A frame of a grey film that shows the words, as red, green and blue."""
    clip = make_clip(folder / "g.mp4", frames=12, color=(90, 90, 90), size=SIZE)
    (folder / "c.srt").write_text(f"1\n00:00:00,000 --> 00:00:00,500\n{words}\n", encoding="utf-8")
    order = ComposeTask(
        clips=(Clip(media=ANY),),
        captions=ANY,
        caption_language=language,
        caption_style=CaptionStyle(**style),
        check=False,
    )
    files = Inputs(clips=[clip], captions=folder / "c.srt")
    compose(order, files, folder / "film.mp4", lambda _: None)
    return list(decoded(folder / "film.mp4"))[6]


def shape(luma: np.ndarray) -> np.ndarray:
    """Where there is ink, cut to its edges and brought to one size."""
    lit = luma > 170
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    cut = luma[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = Image.fromarray(cut).resize((240, 60), Image.Resampling.BILINEAR)
    return np.asarray(image) > 150


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.count_nonzero(one & other) / np.count_nonzero(one | other))


def by_another_program(folder: Path, words: str, face: fonts.Face) -> np.ndarray:
    """The words as FFmpeg's drawtext sets them: HarfBuzz shapes, FriBidi orders."""
    (folder / "words.txt").write_text(words, encoding="utf-8")
    picture, font = folder / "drawn.png", folder / f"face{face.path.suffix}"
    if not font.exists():
        font.symlink_to(face.path)  # its own name may have signs that mean something to a filter
    draw = f"drawtext=fontfile={font}:textfile={folder / 'words.txt'}:fontsize=64"
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi"]
    argv += ["-i", "color=black:s=1200x200", "-vf", f"{draw}:fontcolor=white:x=20:y=60"]
    subprocess.run([*argv, "-frames:v", "1", str(picture)], check=True, timeout=60)
    return np.asarray(Image.open(picture).convert("L"))


@pytest.mark.parametrize(
    ("words", "language", "other"),
    [
        ("مرحبا بالعالم", "ar", "ملاعلاب ابحرم"),
        ("שלום עולם", "he", "םלוע םולש"),
        ("你好，世界", "zh", "界世，好你"),
        ("夜の渋谷へ", "ja", "へ谷渋の夜"),
        ("नमस्ते दुनिया", "hi", "मनस्ते नदुिया"),
    ],
)
def test_words_of_every_script_look_as_another_program_sets_them(
    tmp_path: Path, words: str, language: str, other: str
) -> None:
    """Their letters joined, in their order; the same letters in another order look otherwise."""
    face = next(each for each in fonts.fallbacks(language) if each.has(words[0]))
    frame = burnt(tmp_path, words, language, size_percent=15)
    seen = shape(frame.to_ndarray(format="gray")[SIZE[1] // 2 :])
    right = alike(seen, shape(by_another_program(tmp_path, words, face)))
    wrong = alike(seen, shape(by_another_program(tmp_path, other, face)))
    assert right > 0.6
    assert right > 1.2 * wrong


def colored(frame: Any, color: tuple[int, int, int]) -> int:
    image = frame.to_ndarray(format="rgb24")[SIZE[1] // 2 :].astype(int)
    return int(np.count_nonzero(np.abs(image - color).max(axis=2) < 48))


def test_captions_have_the_colours_that_they_are_told(tmp_path: Path) -> None:
    told = burnt(tmp_path, "HABARI", size_percent=15, color="#FFD000", outline_color="#0000C0")
    assert colored(told, (255, 208, 0)) > 300
    assert colored(told, (0, 0, 192)) > 100
    assert colored(told, (255, 255, 255)) == 0
    plain = burnt(tmp_path, "HABARI", size_percent=15)
    assert colored(plain, (255, 255, 255)) > 300
    assert colored(plain, (0, 0, 0)) > 100, "an outline parts them from a picture as light as they"
    assert colored(plain, (255, 208, 0)) == 0


def test_a_box_lies_behind_all_of_the_words(tmp_path: Path) -> None:
    boxed, bare = (burnt(tmp_path, "HABARI", size_percent=15, box=box) for box in (True, False))
    dark = [int(np.count_nonzero(f.to_ndarray(format="gray")[120:] < 60)) for f in (boxed, bare)]
    assert dark[0] > 2 * dark[1]


def test_each_font_draws_in_its_own_way(tmp_path: Path) -> None:
    shapes = {}
    for name, face in FONTS.items():
        seen = shape(
            burnt(tmp_path, "Habari", font=name, size_percent=15).to_ndarray(format="gray")[108:]
        )
        assert alike(seen, shape(by_another_program(tmp_path, "Habari", fonts.bundled(face)))) > 0.6
        shapes[name] = seen.tobytes()
        (tmp_path / "face.ttf").unlink()
    assert len(set(shapes.values())) == len(FONTS)


def test_a_font_that_is_not_here_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="Comic Sans") as caught:
        burnt(tmp_path, "Habari", font="Comic Sans")
    assert caught.value.violations[0].field == "caption_style.font"
    assert all(name in str(caught.value.violations[0].message) for name in FONTS)
