"""The example films, asked for as a user would, on the suite as it comes; then looked at."""

import io
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import grpc
import numpy as np
import pytest

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.suite.film_client import film_request, run_film_pipeline
from tests.e2e.conftest import OUTWARD, ROOT, Suite
from tests.fakes.clips import levels

pytestmark = pytest.mark.timeout(300)
SMALL = {"resolution": "480p", "fps": 8, "aspect_ratio": "1:1"}


def look(content: bytes) -> dict[str, Any]:
    """Decode a film whole: its size, frames, seconds of picture and sound, and the sound itself."""
    with av.open(io.BytesIO(content), mode="r") as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        frames, shown, samples = 0, [], []
        for frame in container.decode(video, audio):
            if isinstance(frame, av.VideoFrame):
                frames += 1
                if frames % 8 == 4:
                    shown.append(float(frame.to_ndarray(format="gray").std()))
            elif isinstance(frame, av.AudioFrame):
                samples.append(frame.to_ndarray().mean(axis=0))
        sound = np.concatenate(samples)
        return {
            "size": (video.width, video.height),
            "rate": video.average_rate,
            "frames": frames,
            "shown": shown,
            "sound": sound,
            "rate_of_sound": audio.rate,
            "subtitles": len(container.streams.subtitles),
        }


def loudness(found: dict[str, Any], start: float, end: float) -> float:
    """Root mean square of a stretch of the sound, in dB of full scale."""
    rate = found["rate_of_sound"]
    part = found["sound"][int(start * rate) : int(end * rate)]
    return float(20 * np.log10(np.sqrt(np.mean(np.square(part))) + 1e-9))


def assert_whole(found: dict[str, Any], seconds: float, rate: int) -> None:
    """So long to the frame, sound as long as the picture, nothing black, loud enough."""
    assert found["rate"] == Fraction(rate)
    assert abs(found["frames"] - round(seconds * rate)) <= 1
    heard = len(found["sound"]) / found["rate_of_sound"]
    assert heard == pytest.approx(seconds, abs=0.08)
    assert min(found["shown"]) > 5, "a picture is empty"
    assert -30 < loudness(found, 0, seconds) < -10


def test_the_example_script_is_a_film_with_voices_captions_and_music(suite: Suite, tmp_path: Path):
    with grpc.insecure_channel(suite.grpc) as channel:
        films = FilmServiceStub(channel)
        request = film_request(ROOT / "examples/scene.fountain", {**SMALL, "captions": "attach"})
        name = films.CreateFilm(request, timeout=30).film.name
        changes = list(films.WatchFilm(pb.WatchFilmRequest(name=name), timeout=250))
        film = films.GetFilm(pb.GetFilmRequest(name=name), timeout=40).film
    assert film.state == pb.Film.STATE_SUCCEEDED, film.error.message
    assert film.title == "The last ferry"
    assert [task.state for task in film.tasks] == ["succeeded"] * len(film.tasks)
    percents = [change.film.progress_percent for change in changes]
    assert percents == sorted(percents)
    assert any(change.film.preview and not change.film.asset for change in changes)
    (cut,) = film.cuts
    out = tmp_path / "scene.mp4"
    shown = suite.cli("films", "show", name, "--output", str(out), seconds=60)
    assert shown.returncode == 0, shown.stderr
    assert "The last ferry" in shown.stdout
    found = look(out.read_bytes())
    seconds = cut.duration.seconds + cut.duration.nanos / 1e9
    assert_whole(found, seconds, 8)
    assert found["size"] == (480, 480)
    assert found["subtitles"] == 1
    lufs, peak = levels(out)
    assert lufs == pytest.approx(-16, abs=1)
    assert peak <= -1
    assert cut.quality > 0.6, list(cut.findings)
    speakers = {task.shot: len(task.assets) for task in film.tasks if task.type == "audio"}
    assert sum(speakers.values()) == 3


def test_an_offline_film_from_python_and_one_shot_of_it_made_again(suite: Suite, tmp_path: Path):
    """With every process of the suite listened to: nothing leaves this machine."""
    outward = suite.outward
    shots = [
        {"shot_id": "sea", "prompt": "A calm sea at sunset", "duration": 1.0},
        {
            "shot_id": "town",
            "prompt": "A town at night",
            "duration": 1.0,
            "narration": "Good night.",
        },
    ]
    file = tmp_path / "shots.json"
    file.write_text(json.dumps({"shots": shots}))
    out = tmp_path / "film.mp4"
    film = run_film_pipeline(
        "python-film",
        file,
        "1.00",
        use_cache=False,
        preset="offline",
        address=suite.grpc,
        output=out,
        **SMALL,
    )
    assert film.state == pb.Film.STATE_SUCCEEDED, film.error.message
    assert film.creative_id == "python-film"
    (cut,) = film.cuts
    seconds = cut.duration.seconds + cut.duration.nanos / 1e9
    assert 1.5 <= seconds <= 1.5 + 2.0, "two shots that share half a second, the last one held"
    assert_whole(look(out.read_bytes()), seconds, 8)
    again = suite.cli(
        "films", "remake", film.name, "1", "--feedback", "with birds", "--watch", "--json",
        seconds=120,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    last = json.loads(again.stdout.splitlines()[-1])
    first, second = last["cuts"]
    assert first["shots"]["town"] == second["shots"]["town"]
    assert first["shots"]["sea"] != second["shots"]["sea"]
    assert first["sha256"] == film.cuts[0].sha256 != second["sha256"]
    back = suite.cli("films", "restore", film.name, "1", "--json")
    assert back.returncode == 0, back.stderr
    third = json.loads(back.stdout)["cuts"][-1]
    assert (third["sha256"], third["shots"], third["restored"]) == (
        first["sha256"], first["shots"], 1,
    )  # fmt: skip
    assert suite.outward == outward


def test_a_plan_costs_nothing_and_a_bad_file_names_every_fault(suite: Suite, tmp_path: Path):
    plan = suite.cli("film", str(ROOT / "examples/five_shots.json"), "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "batch 4" in plan.stdout
    assert "price $0.00" in plan.stdout
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"shots": [{"shot_id": "a b"}, {"shot_id": "c", "duration": 99}]}))
    refused = suite.cli("film", str(bad))
    assert refused.returncode == 4
    for place in ("shots[0].shot_id", "shots[0].prompt", "shots[1].prompt", "shots[1].duration"):
        assert place in refused.stderr


def test_a_suite_that_looked_outside_would_be_heard(tmp_path: Path):
    """What the test above relies on."""
    looking = (
        "import socket as s; t = s.socket(); t.settimeout(0.1); t.connect_ex(('192.0.2.1', 9))"
    )
    file = tmp_path / "outward.txt"
    env = {"PYTHONPATH": str(OUTWARD), "REELMESH_TEST_OUTWARD": str(file), "PATH": ""}
    subprocess.run([sys.executable, "-c", looking], env=env, check=True, timeout=20)
    assert "192.0.2.1" in file.read_text()
