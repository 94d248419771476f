"""One film of one file by three doors: gRPC, the command line, and Python with a loop running."""

import json
from pathlib import Path

import pytest

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from services.suite.film_client import film_pipeline, films_at, run_film_pipeline
from tests.e2e.conftest import ROOT, Suite

EXAMPLE = ROOT / "examples/five_shots.json"


@pytest.mark.timeout(180)
async def test_a_film_is_the_same_by_every_door(suite: Suite, tmp_path: Path) -> None:
    one = json.loads(EXAMPLE.read_text())["shots"][0]
    file = tmp_path / "shots.json"
    file.write_text(json.dumps({"shots": [{**one, "duration": 1.0}]}))
    source = pb.FilmSource(shots_json=file.read_text())
    wanted = pb.CreateFilmRequest(
        source=source, creative_id="doors", resolution="480p", fps=8, require_approval=True
    )
    async with films_at(suite.grpc) as films:
        by_grpc = (await films.CreateFilm(wanted)).film
    asked = suite.cli(
        "film", str(file), "--film-id", "doors", "--resolution", "480p", "--fps", "8", "--ask",
        "--json",
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    by_command = json.loads(asked.stdout)
    with pytest.raises(RuntimeError, match="await film_pipeline"):
        run_film_pipeline("doors", file, address=suite.grpc)
    by_python = await film_pipeline(
        "doors", file, "1.00", address=suite.grpc, resolution="480p", fps=8
    )
    assert by_python.state == pb.Film.STATE_SUCCEEDED, by_python.error.message
    assert {by_grpc.creative_id, by_command["creativeId"], by_python.creative_id} == {"doors"}
    tasks = [task.id for task in by_grpc.tasks]
    assert len(tasks) >= 5
    assert [task["id"] for task in by_command["tasks"]] == tasks
    assert [task.id for task in by_python.tasks] == tasks
