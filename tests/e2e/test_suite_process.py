"""The suite as a process: its folder, its end, and what a power cut leaves."""

import os
import stat

import grpc
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.orchestrator.v1.video_job_pb2 import VideoJob
from reelmesh.orchestrator.v1.video_service_pb2 import (
    GenerateVideoRequest,
    ListVideoJobsRequest,
    WatchVideoJobRequest,
)
from reelmesh.orchestrator.v1.video_service_pb2_grpc import VideoServiceStub
from tests.e2e.conftest import Suite, reelmesh, wait_until

pytestmark = pytest.mark.timeout(120)


def test_two_suites_never_share_a_folder(suite: Suite):
    second = reelmesh("serve", "--data-dir", str(suite.folder / "data"), "--port-base", "0")

    assert second.returncode == 4
    assert "another suite" in second.stderr
    assert "--data-dir" in second.stderr


def test_a_taken_port_is_told_with_a_way_out(suite: Suite, tmp_path):
    taken = suite.grpc.rpartition(":")[2]
    answer = reelmesh("serve", "--data-dir", str(tmp_path), "--port-base", taken)

    assert answer.returncode == 4
    assert taken in answer.stderr
    assert "--port-base" in answer.stderr


def test_it_does_not_open_itself_to_the_network_without_keys(tmp_path):
    answer = reelmesh("serve", "--data-dir", str(tmp_path), "--host", "0.0.0.0")

    assert answer.returncode == 2
    assert "REELMESH_AUTH" in answer.stderr


def test_its_secret_is_readable_by_its_owner_alone(suite: Suite):
    path = suite.folder / "data" / "signing.key"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text()) >= 32


def test_a_killed_suite_ends_its_jobs_once_after_a_restart(own_suite: Suite):
    own_suite.start()
    with grpc.insecure_channel(own_suite.grpc) as channel:
        request = GenerateVideoRequest(
            prompt="a long walk", duration=Duration(seconds=10), resolution="480p", request_id="r"
        )
        videos = VideoServiceStub(channel)
        name = videos.GenerateVideo(request, timeout=40).job.name
        for change in videos.WatchVideoJob(WatchVideoJobRequest(name=name), timeout=30):
            seen = change.sequence
            if change.job.stage == VideoJob.STAGE_GENERATING:
                break
        assert change.job.state == VideoJob.STATE_RUNNING
    own_suite.kill()
    own_suite.start()
    with grpc.insecure_channel(own_suite.grpc) as channel:
        videos = VideoServiceStub(channel)
        watch = WatchVideoJobRequest(name=name, after_sequence=seen)
        changes = list(videos.WatchVideoJob(watch, timeout=60))
        again = videos.GenerateVideo(request, timeout=40)
        jobs = videos.ListVideoJobs(ListVideoJobsRequest(), timeout=40).jobs

    assert changes[0].sequence == seen + 1
    assert changes[-1].job.state == VideoJob.STATE_SUCCEEDED
    assert [change.kind for change in changes].count("ended") == 1
    assert again.replayed
    assert [job.name for job in jobs] == [name]
    assert len(list((own_suite.folder / "data").rglob("*-001.mp4"))) == 1


def test_ctrl_c_ends_event_streams_and_nats_without_an_error(own_suite: Suite):
    own_suite.start()
    nats_port = own_suite.addresses["nats"]
    with grpc.insecure_channel(own_suite.grpc) as channel:
        request = GenerateVideoRequest(prompt="a", duration=Duration(seconds=30))
        name = VideoServiceStub(channel).GenerateVideo(request, timeout=40).job.name
    url = f"{own_suite.url}/api/v1/{name}/events"
    with httpx.stream("GET", url, trust_env=False) as events:
        lines = events.iter_lines()
        assert next(lines).startswith("retry:")
        assert own_suite.interrupt() == 0, own_suite.log  # raises when that takes over 30 s
        assert not any(line.startswith("event: error") for line in lines)
    assert "Traceback" not in own_suite.log
    assert not own_suite.ports_file.exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{nats_port}", trust_env=False)


def test_with_keys_only_their_owners_get_in(own_suite: Suite, monkeypatch):
    monkeypatch.setenv("REELMESH_AUTH", "true")
    own_suite.start()
    data = str(own_suite.folder / "data")
    made = reelmesh("keys", "create", "--tenant", "acme", "--data-dir", data)
    assert made.returncode == 0, made.stderr
    secret = made.stdout.split()[-1]

    refused = own_suite.cli("jobs")
    allowed = own_suite.cli("generate", "a", "--duration", "1", "--api-key", secret)
    assert (refused.returncode, allowed.returncode) == (5, 0), allowed.stderr
    assert "keys create" in refused.stderr
    with httpx.Client(base_url=own_suite.url, trust_env=False) as client:
        assert client.get("/api/v1/videoJobs").status_code == 401
        headers = {"authorization": f"Bearer {secret}"}
        jobs = client.get("/api/v1/videoJobs", headers=headers).json()["jobs"]
        assert [job["tenantName"] for job in jobs] == ["acme"]

    key_id = secret.split("_")[1]
    assert reelmesh("keys", "revoke", key_id, "--data-dir", data).returncode == 0
    with httpx.Client(base_url=own_suite.url, trust_env=False, headers=headers) as client:
        wait_until(lambda: client.get("/api/v1/videoJobs").status_code == 401)
    assert own_suite.cli("jobs", "--api-key", secret).returncode == 5
    assert secret not in own_suite.log
    assert os.fspath(own_suite.folder) not in refused.stderr
