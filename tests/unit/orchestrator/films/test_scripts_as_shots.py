"""Whatever a script is broken into can be filmed: each shot of each sample is a shot of a film."""

from pathlib import Path

import pytest

from services.orchestrator.adapters.script_client import _shot
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.layout import Layout
from services.orchestrator.domain.films.shots import require_distinct
from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.adapters.scripts.library import ScriptFiles
from services.prompt.convert.scripts import breakdown_to
from services.prompt.domain.script import BreakDownRequest
from services.prompt.packs import load_knowledge
from services.prompt.usecases.break_down import BreakDownScript

SCRIPTS = Path(__file__).parents[2] / "prompt" / "scripts"
SAMPLES = sorted(path for path in SCRIPTS.iterdir() if path.suffix != ".yaml")


@pytest.fixture(scope="module")
def broken() -> BreakDownScript:
    knowledge = load_knowledge()
    reader = RulesReader(knowledge.lexicons, knowledge.names)
    return BreakDownScript(parser=ScriptFiles(), reader=reader, messages=knowledge.messages)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
async def test_every_shot_of_a_sample_can_be_filmed(path: Path, broken: BreakDownScript) -> None:
    found = breakdown_to(await broken(BreakDownRequest(script=path.read_text())))
    looks = {person.name: person.description for person in found.characters}
    shots = tuple(_shot(shot, scene, looks) for scene in found.scenes for shot in scene.shots)
    require_distinct(shots)
    assert Layout(FilmBrief(), shots).tasks()
    for shot in shots:
        assert shot_request(FilmBrief(), shot).prompt
