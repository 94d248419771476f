"""Makes a video with nothing but the generated package: grpcio, protobuf and `reelmesh`.

    python examples/python_client.py "A dhow at sunset" --address 127.0.0.1:50051

Prints the models that are ready, every change of the job, and where the video is.
"""

from __future__ import annotations

import argparse
import uuid

import grpc
from google.protobuf.duration_pb2 import Duration

from reelmesh.orchestrator.v1.video_job_pb2 import VideoJob
from reelmesh.orchestrator.v1.video_service_pb2 import (
    GenerateVideoRequest,
    ListVideoModelsRequest,
    WatchVideoJobRequest,
)
from reelmesh.orchestrator.v1.video_service_pb2_grpc import VideoServiceStub


def main() -> int:
    """Return 0 when a video was stored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompt")
    parser.add_argument("--address", default="127.0.0.1:50051")
    parser.add_argument("--api-key", default="", help="made by `reelmesh keys create`")
    given = parser.parse_args()
    # A server without authentication ignores the header; one with it wants nothing else.
    metadata = [("authorization", f"Bearer {given.api_key}")] if given.api_key else []

    with grpc.insecure_channel(given.address) as channel:
        videos = VideoServiceStub(channel)

        models = videos.ListVideoModels(
            ListVideoModelsRequest(ready_only=True), metadata=metadata, timeout=10
        ).models
        print("ready:", ", ".join(model.id for model in models))

        # The same request_id and body always return the same job: retry as often as you like.
        request = GenerateVideoRequest(
            prompt=given.prompt,
            duration=Duration(seconds=2),
            aspect_ratio="16:9",
            resolution="480p",
            request_id=str(uuid.uuid4()),
        )
        job = videos.GenerateVideo(request, metadata=metadata, timeout=10).job
        print("accepted:", job.name)

        # After a broken connection, watch again with the last sequence that was seen.
        for change in videos.WatchVideoJob(WatchVideoJobRequest(name=job.name), metadata=metadata):
            job = change.job
            print(f"{change.sequence}: {change.kind}, {job.progress_percent} %")

    if job.state != VideoJob.STATE_SUCCEEDED:
        print("failed:", job.error.message or job.fallback.message)
        return 1
    for result in job.results:
        print("video:", result.content_url)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
