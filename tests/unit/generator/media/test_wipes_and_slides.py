"""A wipe uncovers the new picture where it stands; a slide brings it in, and pushes the old one."""

from pathlib import Path

import numpy as np
import pytest

from services.generator.domain.compositions import Clip, ComposeTask, Transition
from services.generator.domain.media import Media
from services.generator.media.compose import Inputs, compose
from tests.fakes.clips import decoded
from tests.fakes.odd_clips import drawn

ANY = Media(url="https://example.com/any")
SIZE = (192, 112)
SHARE = 2 / 3
"""Of the new picture that is seen 8 frames into a transition of 12."""


def picture(low: int, high: int) -> np.ndarray:
    """Grey that grows from the left to the right and downwards: no two places are alike."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    place = (rows / SIZE[1] + columns / SIZE[0]) / 2
    return np.asarray((low + (high - low) * place)[..., None].repeat(3, axis=2), np.uint8)


OLD, NEW = picture(20, 120), picture(240, 140)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    return [
        drawn(folder / f"{number}.mp4", SIZE, lambda _, image=image: image)
        for number, image in enumerate((OLD, NEW))
    ]


def expected(old: np.ndarray, new: np.ndarray, way: str, *, pushed: bool) -> np.ndarray:
    """The picture in the middle of a transition, worked out by where each pixel comes from."""
    axis = 1 if way in {"LEFT", "RIGHT"} else 0
    length = old.shape[axis]
    seen = round(length * SHARE)
    place = np.arange(length)
    if way in {"LEFT", "UP"}:  # the new one comes from the far edge
        fresh = place >= length - seen
        moved = np.where(fresh, place - (length - seen), place + seen)
    else:
        fresh = place < seen
        moved = np.where(fresh, place + length - seen, place - seen)
    source = moved if pushed else place
    taken = [np.take(image, source, axis=axis) for image in (old, new)]
    mask = fresh[None, :] if axis else fresh[:, None]
    return np.where(mask, taken[1], taken[0])


@pytest.mark.parametrize("way", ["LEFT", "RIGHT", "UP", "DOWN"])
@pytest.mark.parametrize("kind", ["WIPE", "SLIDE"])
def test_each_goes_its_own_way(tmp_path: Path, clips: list[Path], kind: str, way: str) -> None:
    after = Clip(media=ANY, transition=Transition[f"{kind}_{way}"], transition_seconds=0.5)
    task = ComposeTask(clips=(Clip(media=ANY), after), check=False)
    film = tmp_path / "film.mp4"
    compose(task, Inputs(clips=clips), film, lambda _: None)
    frames = [frame.to_ndarray(format="gray").astype(int) for frame in decoded(film)]
    assert len(frames) == 36
    old, new = frames[4], frames[30]
    wanted = expected(old, new, way, pushed=kind == "SLIDE")
    other = expected(old, new, way, pushed=kind == "WIPE")
    assert np.abs(frames[20] - wanted).mean() < 4
    assert np.abs(frames[20] - other).mean() > 12
    assert np.abs(frames[12] - old).mean() < 4, "it begins with the old picture"
    assert np.abs(frames[24] - new).mean() < 4, "and ends with the new one"
