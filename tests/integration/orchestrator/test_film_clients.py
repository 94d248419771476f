"""What films say to other services, against the real prompt service and as the contract has it."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from typing_extensions import override

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from reelmesh.prompt.v1.prompt_service_pb2_grpc import (
    PromptServiceServicer,
    add_PromptServiceServicer_to_server,
)
from services.common.channels import Channel
from services.common.errors import InvalidArgument, Unavailable
from services.common.server import serve
from services.common.settings import ServiceSettings
from services.generator.convert.compositions import captions, compose
from services.orchestrator.adapters.script_client import BREAK_DOWN, ScriptClient
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


class Interrupted(PromptServiceServicer):
    """Breaks scripts down, but for the first calls, which it lets fail as a restart does."""

    def __init__(self, away: int) -> None:
        self.away, self.calls = away, 0

    @override
    async def BreakDownScript(self, request: Any, context: Any) -> Any:
        self.calls += 1
        if self.calls <= self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        shot = prompt_pb2.Shot(number=1, action="A hill at dawn")
        found = prompt_pb2.ScriptBreakdown(title="A hill", scenes=[prompt_pb2.Scene(shots=[shot])])
        return prompt_service_pb2.BreakDownScriptResponse(breakdown=found)


@pytest.mark.parametrize(("away", "calls"), [(1, 2), (2, 3), (99, 5)])
async def test_a_script_is_sent_again_while_the_prompt_service_is_away_for_a_moment(
    tmp_path: Path, away: int, calls: int
) -> None:
    kind: Any = Interrupted  # serves one method of the contract
    prompt = kind(away)
    plain = ServiceSettings(address="127.0.0.1:0", data_dir=tmp_path)
    registration = (add_PromptServiceServicer_to_server, prompt)
    async with (
        serve(plain, [registration]) as server,
        Channel(server.address, retry=[BREAK_DOWN]) as channel,
    ):
        asked = ScriptClient(channel).break_down("acme", "A hill at dawn.")
        if away == 99:
            with pytest.raises(Unavailable):
                await asked
        else:
            assert [shot.prompt for shot in (await asked).shots] == ["A hill at dawn"]
    assert prompt.calls == calls


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
