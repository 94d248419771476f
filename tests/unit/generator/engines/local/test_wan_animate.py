"""A face follows the emotion that is asked for, the same in every scene; else it is left out."""

import shutil
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from services.common.errors import InvalidArgument
from services.generator.domain.catalogue import Availability
from services.generator.domain.shapes import Shape
from services.generator.domain.vram import GIB, Device, Plan
from services.generator.engines.local.encoding import write_clip
from services.generator.engines.local.families import recognise, wan_animate
from services.generator.engines.local.family import Frames, RunOrder
from services.generator.engines.local.installed import local_models
from services.generator.engines.local.performances import followed, performance
from services.generator.engines.local.probe import Source, probe
from services.generator.engines.local.survey import survey

pytestmark = pytest.mark.xdist_group("torch")

EMOTIONS = {"neutral": 40, "joy": 220}


def recording(path, *greys, fps=30.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.repeat(np.array(greys, np.uint8), 32 * 32 * 3).reshape(len(greys), 32, 32, 3)
    write_clip(path, iter([pixels]), like=Shape(width=32, height=32, frames=len(greys), fps=fps))
    return path


@pytest.fixture(scope="module")
def installed(shelf, tmp_path_factory):
    folder = tmp_path_factory.mktemp("animate") / "wan_animate"
    shutil.copytree(shelf.get("wan_animate"), folder)
    for name, grey in EMOTIONS.items():
        recording(folder / "expressions" / name / "face.mp4", grey, 255 - grey, grey)
    return folder


@pytest.fixture(scope="module")
def actor(installed):
    import torch

    torch.set_num_threads(1)
    family = recognise(probe(installed))
    source = Source(model="wan_2_2_animate", location=str(installed))
    shape = family.snap(Shape(width=40, height=30, frames=2, fps=8.0))
    resident = family.load(source, Plan(device=Device(), shape=shape))
    picture = installed / "somebody.png"
    Image.new("RGB", (48, 32), (180, 120, 90)).save(picture)

    def act(emotion="", *, steps=1, on_step=lambda *_: None, frames=shape.frames):
        resident.notes.clear()
        order = RunOrder(
            prompts=("she looks up",),
            seeds=(7,),
            steps=steps,
            shape=Shape(width=48, height=32, frames=frames, fps=30.0),
            files={"image": picture},
            options={"emotion": emotion} if emotion else {},
        )
        made = family.run(resident, order, on_step)[0]
        assert isinstance(made, Frames)
        return np.concatenate(list(made.chunks)), tuple(resident.notes)

    return act


def test_an_emotion_moves_the_face_and_is_the_same_in_every_scene(actor):
    joy, told = actor("joy")
    again, _ = actor("joy")
    neutral, _ = actor("neutral")
    assert told == ()
    assert np.array_equal(joy, again)
    assert not np.array_equal(joy, neutral)


def test_where_none_is_asked_for_the_face_is_neutral(actor):
    assert np.array_equal(actor()[0], actor("neutral")[0])


def test_an_emotion_that_is_not_installed_is_left_out_aloud(actor):
    frames, told = actor("dread")
    assert told == ("emotion: no dread is installed (joy, neutral); neutral was followed",)
    assert np.array_equal(frames, actor("neutral")[0])


def test_an_emotion_is_never_a_path(installed):
    (installed.parent / "stolen").mkdir(exist_ok=True)
    recording(installed.parent / "stolen" / "face.mp4", 1)
    found = performance(installed, "../../stolen")
    assert found.face == installed / "expressions" / "neutral" / "face.mp4"
    assert "no ../../stolen is installed" in found.warning


def test_without_any_performance_the_picture_moves_all_the_same(tmp_path):
    assert performance(tmp_path, "").face is None
    found = performance(tmp_path, "joy")
    assert (found.face, found.pose) == (None, None)
    assert found.warning == "emotion: no joy is installed (-); no expression was followed"
    black = followed(None, 3, 30.0, (4, 4))
    assert [picture.getextrema() for picture in black] == [((0, 0),) * 3] * 3


def test_a_word_is_wanted_for_an_emotion(actor):
    with pytest.raises(InvalidArgument, match=r"options\.local\.emotion"):
        actor(["joy"])


def test_a_recording_is_shown_at_its_own_pace_and_goes_back_and_forth(tmp_path):
    slow = recording(tmp_path / "face.mp4", 0, 120, 240, fps=15.0)
    shown = [picture.getpixel((9, 9))[0] for picture in followed(slow, 14, 30.0, (16, 16))]
    steps = [0, 0, 1, 1, 2, 2, 2, 1, 1, 0, 0, 0, 1, 1]
    assert shown == pytest.approx([(0, 120, 240)[step] for step in steps], abs=6)


def test_what_is_no_recording_is_named(tmp_path):
    broken = tmp_path / "joy" / "face.mp4"
    broken.parent.mkdir()
    broken.write_bytes(b"no film")
    with pytest.raises(InvalidArgument) as caught:
        followed(broken, 2, 30.0, (8, 8))
    assert caught.value.violations[0].field == "expressions/joy"


def test_a_clip_of_several_segments_has_its_frames_and_one_row_of_steps(actor, monkeypatch):
    monkeypatch.setattr(wan_animate, "_SEGMENT", 9)
    told = []
    frames, _ = actor("joy", steps=2, frames=17, on_step=lambda *each: told.append(each))
    assert frames.shape == (17, 32, 48, 3)
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(len(np.unique(each)) > 1 for each in frames)
    assert any(not np.array_equal(one, other) for one, other in pairwise(frames))


def test_the_row_tells_truly_whether_it_is_installed_and_fits(installed):
    row = next(model for model in local_models() if model.id == "wan_2_2_animate")
    there = {row.id: Source(model=row.id, location=str(installed))}
    card = Device(kind="cuda", name="RTX", total_bytes=24 * GIB, capability=(8, 9))
    assert survey((row,), {}, card, 20 * GIB)[row.id].availability is Availability.NOT_INSTALLED
    assert survey((row,), there, card, 20 * GIB)[row.id].availability is Availability.READY
    short = survey((row,), there, card, 2**20)[row.id]
    assert short.availability is Availability.NO_DEVICE
    assert "GiB" in short.reason
