"""`reelmesh film`: what every flag asks for, as a service hears it over gRPC."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from reelmesh.orchestrator.v1.film_service_pb2 import CreateFilmRequest, PlanFilmRequest
from reelmesh.orchestrator.v1.film_service_pb2_grpc import add_FilmServiceServicer_to_server
from services.common.server import serve
from services.common.settings import ServiceSettings
from services.suite.cli import app
from tests.fakes.film_service import FakeFilmService
from tests.stack import SIGNING_KEY


@dataclass
class Served:
    """A film service in a thread of its own, as the command line runs a loop itself."""

    films: FakeFilmService
    address: str

    def asked(self, *arguments: str) -> CreateFilmRequest:
        """What was asked for by `reelmesh film` with these arguments."""
        self.films.asked.clear()
        command = ["film", *arguments, "--address", self.address, "--json"]
        answer = CliRunner().invoke(app, command)
        assert answer.exit_code == 0, answer.output
        [request] = self.films.asked
        return request.request if isinstance(request, PlanFilmRequest) else request


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    films, found, ready = FakeFilmService(), list[str](), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    plain: Any = {
        "address": "127.0.0.1:0",
        "signing_key": SIGNING_KEY,
        "data_dir": tmp_path_factory.mktemp("films"),
    }

    async def run() -> None:
        registration = (add_FilmServiceServicer_to_server, films)
        async with serve(ServiceSettings(**plain), [registration]) as server:
            found.append(server.address)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(30), "the service did not start"
    yield Served(films, found[0])
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("script") / "story.txt"
    file.write_text("A lighthouse at dusk.")
    return str(file)


FLAGS: list[tuple[list[str], dict[str, Any]]] = [
    (["--film-id", "my_film"], {"creative_id": "my_film"}),
    (["--budget-limit", "1.25"], {"budget_limit": {"units": 1, "nanos": 250_000_000}}),
    (["--image-provider", "fal_flux"], {"providers": {"image": "fal_flux"}}),
    (["--video-provider", "kling"], {"providers": {"animation": "kling"}}),
    (["--audio-provider", "elevenlabs"], {"providers": {"audio": "elevenlabs"}}),
    (["--preset", "premium"], {"preset": "premium"}),
    (["--title", "Dusk"], {"title": "Dusk"}),
    (["--project", "spring"], {"project": "spring"}),
    (["--language", "sw"], {"language": "sw"}),
    (["--visual-approach", "ai_only"], {"visual_approach": "ai_only"}),
    (["--style-preset", "anime"], {"style_preset": "anime"}),
    (["--template", "t1", "--set", "who=Asha"], {
        "template": "templates/t1", "template_values": {"who": "Asha"},
    }),
    (["--pack", "kenya", "--pack", "sea"], {"packs": ["kenya", "sea"]}),
    (["--mode", "adaptive"], {"mode": "adaptive"}),
    (["--concurrency", "7"], {"concurrency": 7}),
    (["--resolution", "1080p"], {"resolution": "1080p"}),
    (["--aspect-ratio", "9:16"], {"aspect_ratio": "9:16"}),
    (["--fps", "30"], {"fps": 30}),
    (["--transition", "wipe_left"], {"transition": "wipe_left"}),
    (["--music", "calm, harp"], {"music": "calm, harp"}),
    (["--captions", "attach"], {"captions": "attach"}),
    (["--upscale"], {"upscale": True}),
    (["--thumbnail"], {"thumbnail": True}),
    (["--placeholders"], {"allow_placeholder": True}),
    (["--no-placeholders"], {"allow_placeholder": False}),
    (["--least-likeness", "0.5"], {"consistency": {"least": 0.5}}),
    (["--retries", "2"], {"consistency": {"retries": 2}}),
    (["--ask"], {"require_approval": True}),
    (["--no-cache"], {"use_cache": False}),
    (["--plan", "--fps", "25"], {"fps": 25}),
]  # fmt: skip


def _words(each: object) -> str:
    return " ".join(each) if isinstance(each, list) else ""


@pytest.mark.parametrize(("flags", "expected"), FLAGS, ids=_words)
def test_each_flag_asks_for_what_it_says_and_for_nothing_else(
    served: Served, script: str, flags: list[str], expected: dict[str, Any]
) -> None:
    plain, asked = served.asked(script), served.asked(script, *flags)
    wanted = CreateFilmRequest()
    wanted.CopyFrom(plain)
    wanted.request_id = asked.request_id
    wanted.MergeFrom(_message(expected))
    assert asked == wanted
    assert asked != plain


def _message(fields: dict[str, Any]) -> CreateFilmRequest:
    money = {"budget_limit": {"currency_code": "USD", **fields.get("budget_limit", {})}}
    return CreateFilmRequest(**fields | (money if "budget_limit" in fields else {}))


@pytest.mark.parametrize(("flag", "field"), [
    ("--start", "start_time"), ("--start-by", "latest_start_time"),
])  # fmt: skip
def test_hours_are_local_and_told_in_utc(
    served: Served, script: str, monkeypatch: pytest.MonkeyPatch, flag: str, field: str
) -> None:
    import time

    monkeypatch.setenv("TZ", "Africa/Nairobi")
    time.tzset()
    try:
        asked = served.asked(script, flag, "2026-12-01T22:00")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert getattr(asked, field).ToJsonString() == "2026-12-01T19:00:00Z"


def test_every_option_of_the_command_is_looked_at_here() -> None:
    import typer

    group: Any = typer.main.get_command(app)
    options = {opt for p in group.commands["film"].params for opt in (*p.opts, *p.secondary_opts)}
    seen = {flag for flags, _ in FLAGS for flag in flags if flag.startswith("--")}
    others = {"file", "--start", "--start-by", "--watch", "--output", "--json", "--address"}
    assert options - seen - others <= {"--api-key", "--help"}


def test_a_file_of_shots_is_sent_as_shots_and_anything_else_as_a_script(
    served: Served, script: str, tmp_path: Any
) -> None:
    shots = tmp_path / "shots.json"
    shots.write_text('[{"shot_id": "s1", "prompt": "a hill", "duration": 1}]')
    assert served.asked(str(shots)).source.WhichOneof("source") == "shots_json"
    assert served.asked(script).source.WhichOneof("source") == "script"
