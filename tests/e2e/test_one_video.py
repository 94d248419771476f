"""One video through every service, asked for in every way that there is."""

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import av
import grpc
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.orchestrator.v1.video_job_pb2 import VideoJob
from reelmesh.orchestrator.v1.video_service_pb2 import (
    GenerateVideoRequest,
    GetVideoJobRequest,
    WatchVideoJobRequest,
)
from reelmesh.orchestrator.v1.video_service_pb2_grpc import VideoServiceStub
from tests.e2e.conftest import Suite, reelmesh

pytestmark = pytest.mark.timeout(90)

BODY = {"prompt": "a dhow at sunset", "duration": "2s", "aspectRatio": "1:1", "resolution": "480p"}


def frames(content: bytes) -> tuple[int, int, int, float, set[str]]:
    """Decode a whole video: width, height, frames, seconds, codecs."""
    with av.open(io.BytesIO(content), mode="r") as container:
        stream = container.streams.video[0]
        assert stream.duration
        assert stream.time_base
        codecs = {each.codec_context.name for each in container.streams}
        seconds = float(stream.duration * stream.time_base)
        count = len([*container.decode(stream)])
        return stream.width, stream.height, count, seconds, codecs


def test_grpc_makes_a_video_that_decodes_and_lies_where_it_says(suite: Suite):
    with grpc.insecure_channel(suite.grpc) as channel:
        videos = VideoServiceStub(channel)
        request = GenerateVideoRequest(
            prompt="a dhow at sunset",
            duration=Duration(seconds=2),
            aspect_ratio="16:9",
            resolution="480p",
            request_id="e2e-grpc",
        )
        job = videos.GenerateVideo(request, timeout=40).job
        again = videos.GenerateVideo(request, timeout=40)
        changes = list(videos.WatchVideoJob(WatchVideoJobRequest(name=job.name), timeout=60))
        ended = videos.GetVideoJob(GetVideoJobRequest(name=job.name), timeout=40).job

    assert again.replayed
    assert again.job.name == job.name
    percents = [change.job.progress_percent for change in changes]
    assert percents == sorted(percents)
    sequences = [change.sequence for change in changes]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    assert ended.state == VideoJob.STATE_SUCCEEDED
    (result,) = ended.results
    assert result.placeholder
    stored = Path(unquote(urlsplit(result.s3_url).path)).read_bytes()
    width, height, count, seconds, codecs = frames(stored)
    assert (width, height) == (result.width, result.height)
    assert width / height == pytest.approx(16 / 9, rel=0.02)
    assert seconds == pytest.approx(2, abs=0.1)
    assert count == round(seconds * result.fps)
    assert codecs == {"h264", "aac"}


def test_rest_and_events_make_a_video_that_plays_in_ranges(suite: Suite):
    with httpx.Client(base_url=suite.url, timeout=60, trust_env=False) as client:
        accepted = client.post("/api/v1/videoJobs", json=BODY)
        assert accepted.status_code == 202
        where = accepted.headers["location"]

        seen: list[dict[str, Any]] = []
        with client.stream("GET", f"{where}/events") as events:
            seen += [json.loads(line[6:]) for line in events.iter_lines() if line[:6] == "data: "]
        assert seen[-1]["job"]["state"] == "STATE_SUCCEEDED"

        resumed = []
        after = seen[0]["sequence"]
        with client.stream("GET", f"{where}/events", headers={"last-event-id": after}) as events:
            resumed = [line for line in events.iter_lines() if line.startswith("id: ")]
        assert resumed == [f"id: {change['sequence']}" for change in seen[1:]]

        job = client.get(where).json()["job"]
        assert job["progressPercent"] == 100
        url = job["results"][0]["contentUrl"]
        whole = client.get(url)
        assert whole.headers["content-type"] == "video/mp4"
        head = client.get(url, headers={"range": "bytes=0-999"})
        tail = client.get(url, headers={"range": "bytes=1000-"})
        assert (head.status_code, tail.status_code) == (206, 206)
        assert head.content + tail.content == whole.content
        width, height, *_ = frames(whole.content)
        assert width == height
        assert client.get(url.replace("sig=", "sig=0")).status_code == 403


def test_the_command_line_makes_shows_and_lists_a_video(suite: Suite):
    made = suite.cli("generate", "a market in Kisumu", "--duration", "2", "--resolution", "480p",
                     "--aspect-ratio", "9:16", "--watch", "--json")  # fmt: skip
    assert made.returncode == 0, made.stderr
    last = json.loads(made.stdout.splitlines()[-1])["job"]
    assert last["state"] == "STATE_SUCCEEDED"

    shown = suite.cli("show", last["name"].removeprefix("videoJobs/"))
    assert shown.returncode == 0, shown.stderr
    assert "a market in Kisumu" in shown.stdout
    assert "storyboard" in shown.stdout
    listed = json.loads(suite.cli("jobs", "--state", "succeeded", "--json").stdout)
    assert last["name"] in {job["name"] for job in listed}
    models = json.loads(suite.cli("models", "--json").stdout)
    assert {"runway_gen3", "pika_v2", "openai_shorts"} <= {model["id"] for model in models}
    plan = suite.cli("plan", "a market in Kisumu", "--duration", "5")
    assert plan.returncode == 0, plan.stderr


def test_a_batch_is_made_once_however_often_its_file_is_sent(suite: Suite, tmp_path: Path):
    rows = [{"prompt": f"a heron {n}", "duration": "1s", "resolution": "480p"} for n in range(2)]
    file = tmp_path / "shots.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    first = suite.cli("batch", str(file), "--watch", seconds=90)
    again = suite.cli("batch", str(file), "--json")
    file.write_text(json.dumps([*rows, {"prompt": ""}, {"prompt": "x", "fps": 99}]))
    refused = suite.cli("batch", str(file))

    assert first.returncode == 0, first.stderr
    assert "2 jobs accepted; price $0.00 to $0.00" in first.stdout
    jobs = json.loads(again.stdout)
    assert [job["state"] for job in jobs] == ["STATE_SUCCEEDED"] * 2
    assert all(job["name"].removeprefix("videoJobs/") in first.stdout for job in jobs)
    assert refused.returncode == 4
    assert "requests[2].prompt" in refused.stderr
    assert "requests[3].fps" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["show", "nothing"], 4, "reelmesh jobs"),
        (["generate", "x", "--aspect-ratio", "17:3"], 4, "16:9"),
        (["generate", "x", "--model", "runway_gen3", "--no-placeholder"], 4, "runway_gen4"),
        (["jobs", "--state", "lost"], 2, "succeeded"),
    ],
)
def test_a_refused_command_says_what_to_do(suite: Suite, arguments, code: int, says: str):
    answer = suite.cli(*arguments)

    assert answer.returncode == code
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_command_without_a_suite_says_how_to_start_one():
    answer = reelmesh("jobs", "--address", "127.0.0.1:1")

    assert answer.returncode == 3
    assert "reelmesh serve" in answer.stderr


def test_the_demo_makes_a_video_and_leaves_nothing_running(tmp_path: Path):
    answer = reelmesh("demo", "--data-dir", str(tmp_path / "demo"), "--json", seconds=80)

    assert answer.returncode == 0, answer.stderr
    facts = json.loads(answer.stdout)
    assert 0 < facts["seconds"] < 300
    width, height, _, seconds, _ = frames(Path(facts["path"]).read_bytes())
    assert (width, height, round(seconds)) == (1280, 720, 5)
    with pytest.raises(httpx.ConnectError):
        httpx.get(facts["url"], trust_env=False)
