"""From "[laughs]" in a script to the sample of the cut at which somebody laughs."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.generator.domain.compositions import Clip, ComposeTask, Role, Track
from services.generator.domain.media import Media
from services.generator.domain.tasks import SoundTask, SpeechTask
from services.generator.media.compose import Inputs, compose
from services.generator.media.effects import sound
from services.generator.media.speech import say
from services.orchestrator.adapters.script_client import _shot
from services.orchestrator.domain.films.timeline import LEAD_SECONDS
from services.orchestrator.domain.films.works import ComposeWork, SoundWork, SpeechWork
from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.adapters.scripts.library import ScriptFiles
from services.prompt.convert.scripts import breakdown_to
from services.prompt.domain.script import BreakDownRequest
from services.prompt.packs import load_knowledge
from services.prompt.usecases.break_down import BreakDownScript
from tests.fakes.clips import RATE, heard, make_clip
from tests.fakes.film_parts import ScriptedWorks
from tests.unit.orchestrator.films.films import Studio, film

SCRIPT = """Title: The Attic

INT. ATTIC - NIGHT

Emma opens the box and finds the letter.

EMMA
(softly)
I knew it was here. [laughs] He never threw it away.
"""
ANY = Media(url="https://example.com/any")

pytestmark = pytest.mark.timeout(120)


class Room(ScriptedWorks):
    """Speaks and makes effects as the embedded engines do; files by the asset's name."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.seconds_of: dict[str, float] = {}

    def _view(self, request_id, state):
        view = super()._view(request_id, state)
        order = self.begun.get(request_id)
        if view.piece is None or order is None:
            return view
        asset = view.piece.asset
        if asset not in self.seconds_of:
            self.seconds_of[asset] = self._made(order.work, self.file(asset))
        return replace(view, piece=replace(view.piece, duration_seconds=self.seconds_of[asset]))

    def file(self, asset):
        return self.folder / f"{hashlib.sha256(asset.encode()).hexdigest()}.flac"

    def _made(self, work, path):
        if isinstance(work, SpeechWork):
            return say(SpeechTask(text=work.text, language="en"), path).seconds
        if isinstance(work, SoundWork):
            seconds, _, warnings = sound(
                SoundTask(prompt=work.prompt, duration_seconds=work.seconds), path
            )
            assert warnings == ()  # it knows what a laugh is
            return seconds
        return 2.0


async def shots_of(script):
    knowledge = load_knowledge()
    reader = RulesReader(knowledge.lexicons, knowledge.names)
    broken = BreakDownScript(parser=ScriptFiles(), reader=reader, messages=knowledge.messages)
    found = breakdown_to(await broken(BreakDownRequest(script=script)))
    looks = {person.name: person.description for person in found.characters}
    return tuple(_shot(shot, scene, looks) for scene in found.scenes for shot in scene.shots)


def cut(room, clip, work, roles):
    """The mix of a cut's tracks of these roles, as it is composed; mono samples."""
    tracks = [track for track in work.tracks if track.role in roles]
    order = ComposeTask(
        clips=(Clip(media=ANY),),
        tracks=tuple(
            Track(media=ANY, role=Role(track.role.upper()), at_seconds=track.at) for track in tracks
        ),
        keep_levels=True,
        check=False,
    )
    made = room.folder / f"{'-'.join(sorted(roles))}.mp4"
    inputs = Inputs(clips=[clip], tracks=[room.file(track.asset) for track in tracks])
    compose(order, inputs, made, lambda _: None)
    return heard(made)[0]


def edge(samples, *, last=False):
    """When something is heard first, or last, in seconds."""
    loud = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max())
    return float(loud[-1 if last else 0]) / RATE


async def test_a_laugh_in_a_script_is_heard_within_a_tenth_of_a_second_of_its_place(tmp_path):
    shots = await shots_of(SCRIPT)
    assert [line.text for shot in shots for line in shot.lines] == [
        "I knew it was here.", "He never threw it away.",
    ]  # fmt: skip
    assert [shot.emotion for shot in shots if shot.cues] == ["joy"]
    room = Room(tmp_path)
    studio = Studio.of(film(of=shots, music="off", captions="off"), works=room)
    assert (await studio.make()).state == "succeeded"
    work = [order.work for order in room.begun.values() if isinstance(order.work, ComposeWork)][-1]
    clip = make_clip(tmp_path / "clip.mp4", frames=12 * 12, rate=12, size=(96, 64))
    words, laugh = cut(room, clip, work, {"dialogue"}), cut(room, clip, work, {"effect"})
    begins = min(track.at for track in work.tracks if track.role == "dialogue")
    first = next(track for track in work.tracks if track.at == begins)
    spoken = heard(room.file(first.asset))[0]
    assert begins >= LEAD_SECONDS
    place = begins + len(spoken) / RATE  # where the words before it have ended
    assert edge(laugh) == pytest.approx(place, abs=0.100)
    following = max(track.at for track in work.tracks if track.role == "dialogue")
    assert edge(laugh, last=True) < following + 0.1  # nobody speaks over it
    quiet = words[round((place + 0.02) * RATE) : round((following - 0.02) * RATE)]
    assert np.abs(quiet).max() < 0.05 * np.abs(words).max()
