"""Each preset yields its graph: who makes what, how shots follow each other, what is heard."""

from dataclasses import replace

import pytest

from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.presets import PRESETS
from services.orchestrator.domain.films.works import ComposeWork, MusicWork
from services.orchestrator.usecases.films.plan import FilmSource
from tests.unit.orchestrator.films.films import Studio, film, shots
from tests.unit.orchestrator.films.test_plan import catalogue, planning

AROUND = {"script", "music", "captions", "composition"}
PLAIN = {f"s{n}.{kind}" for n in (1, 2) for kind in ("animation", "audio")} | AROUND
PICTURED = PLAIN | {"s1.image", "s2.image"}
FOUND = {task.replace("animation", "retrieval") for task in PLAIN}
# The graph of two shots with a line each; how they are joined, the music, and their look.
GRAPHS = {
    "basic": (PLAIN, "crossfade", "calm, instrumental", ""),
    "budget": (PICTURED, "crossfade", "calm, instrumental", ""),
    "premium": (PICTURED, "crossfade", "calm, instrumental", ""),
    "news": (PLAIN, "cut", "neutral pulse, instrumental", "news report"),
    "cartoon": (PLAIN, "wipe_left", "playful", "cartoon"),
    "offline": (FOUND, "crossfade", "calm, instrumental", ""),
}
NAMED = {
    "budget": {"image": "fal_flux", "animation": "minimax", "audio": "openai_tts"},
    "premium": {"image": "fal_flux", "animation": "kling", "audio": "elevenlabs"},
}


def test_every_preset_is_looked_at_here() -> None:
    assert set(GRAPHS) == set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_plan_has_the_presets_graph_on_the_presets_models(preset: str) -> None:
    plan = await planning(*catalogue())(
        "acme", FilmBrief(preset=preset), FilmSource(shots=shots(2))
    )
    assert {task.id for task in plan.tasks} == GRAPHS[preset][0]
    assert {node for batch in plan.batches for node in batch} == GRAPHS[preset][0]
    wanted = NAMED.get(preset, {})
    assert {str(t.type): t.model for t in plan.tasks if t.type in wanted} == wanted


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_film_is_joined_heard_and_looks_as_its_preset_says(preset: str) -> None:
    _, transition, music, style = GRAPHS[preset]
    wanted = film(2, preset=preset, music="")
    # Whoever is named makes it: here by a model that is at hand.
    routed = tuple(replace(t, model="") for t in wanted.tasks if t.type != "image")
    studio = Studio.of(replace(wanted, tasks=routed))
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED, made.error
    works = [order.work for order in studio.works.begun.values()]
    [cut] = [work for work in works if isinstance(work, ComposeWork) and not work.rough]
    assert [clip.transition for clip in cut.clips[:1]] == ["cut"]
    assert {clip.transition for clip in cut.clips[1:]} == {transition}
    assert cut.captions
    assert [work.prompt for work in works if isinstance(work, MusicWork)] == [music]
    jobs = [job.request for job in studio.jobs.jobs.values()]
    assert all(style in request.prompt for request in jobs)
    assert {request.routing.local_only for request in jobs} == {preset == "offline"}
