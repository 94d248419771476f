"""What films say to other services, against the real prompt service and as the contract has it."""

from pathlib import Path

import pytest

from services.common.channels import Channel
from services.common.errors import InvalidArgument
from services.generator.convert.compositions import captions, compose
from services.orchestrator.adapters.script_client import ScriptClient
from services.orchestrator.adapters.works_client import task_of
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.works import (
    CaptionLine,
    CaptionsWork,
    ComposeWork,
    CutClip,
    CutTrack,
    UpscaleWork,
)
from services.prompt.__main__ import running
from services.prompt.settings import Settings

pytestmark = pytest.mark.timeout(60)
BEACH = Shot(
    shot_id="s1",
    prompt="Children play football on a beach at noon",
    duration_seconds=4.0,
    mood="joyful",
    characters=("Amina",),
)


async def test_feedback_changes_words_and_what_is_known_of_a_shot_and_nothing_else(
    tmp_path: Path,
) -> None:
    settings = Settings(address="127.0.0.1:0", data_dir=tmp_path)
    async with running(settings) as address, Channel(address) as channel:
        told = await ScriptClient(channel).retell(
            "acme", BEACH, "at night, no boats, 9 seconds, add a zorble"
        )
        with pytest.raises(InvalidArgument):
            await ScriptClient(channel).retell("acme", BEACH, " ")
    assert told.time_of_day == "night"
    assert told.negative_prompt == "boats"
    assert "football" in told.prompt
    assert "zorble" in told.prompt, "what is not understood is said to the model all the same"
    assert (told.shot_id, told.duration_seconds) == ("s1", 4.0)
    assert (told.mood, told.characters) == ("joyful", ("Amina",))


def test_a_clip_is_enlarged_and_a_rough_cut_is_left_as_it_is() -> None:
    larger = task_of(UpscaleWork(asset="assets/a", seconds=3.0)).upscale
    assert (larger.media.asset, larger.factor) == ("assets/a", 2)
    rough = task_of(ComposeWork(clips=(CutClip(asset="assets/a"),), rough=True)).compose
    assert (rough.keep_levels, rough.check, rough.width) == (True, False, 0)
    whole = task_of(ComposeWork(clips=(CutClip(asset="assets/a"),), size=(1280, 720))).compose
    assert (whole.keep_levels, whole.check, whole.width, whole.height) == (False, True, 1280, 720)


def test_captions_know_how_long_their_film_is() -> None:
    line = CaptionLine(text="Habari", start=1.0, duration=2.0)
    work = CaptionsWork(lines=(line,), language="sw", seconds=2.5)
    assert captions(task_of(work).captions).film_seconds == 2.5


def test_fades_and_levels_of_a_cut_travel_with_it() -> None:
    clip = CutClip(asset="assets/a", gain_db=-12.0)
    music = CutTrack(asset="assets/m", role="music", loop=True, fade_out=1.5)
    cut = task_of(ComposeWork(clips=(clip,), tracks=(music,))).compose
    told = compose(cut)
    assert told.clips[0].gain_db == -12.0
    track = told.tracks[0]
    assert (track.loop, track.fade_in_seconds, track.fade_out_seconds) == (True, 0.0, 1.5)
    bare = task_of(ComposeWork(clips=(clip,), tracks=(CutTrack(asset="assets/m", role="music"),)))
    assert not bare.compose.tracks[0].HasField("fade_out")
