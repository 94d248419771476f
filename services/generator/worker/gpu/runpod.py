"""Starts the worker on RunPod serverless: `python -m services.generator.worker.gpu.runpod`.

RunPod's own library takes the jobs and reports what comes of them; it is in the image alone.
"""

import runpod

from services.common.telemetry import configure_logging
from services.generator.adapters.result_bucket import ResultBucket
from services.generator.worker.gpu import card
from services.generator.worker.gpu.serverless import Handler
from services.generator.worker.gpu.settings import BucketSettings, WorkerSettings


def main() -> None:
    """Take jobs until RunPod ends the worker."""
    settings, bucket = WorkerSettings(), BucketSettings()
    configure_logging(settings)
    handler = Handler(
        settings,
        card.opened,
        ResultBucket(bucket.name, bucket.prefix),
        tell=runpod.serverless.progress_update,
    )
    runpod.serverless.start({"handler": handler.__call__})


if __name__ == "__main__":
    main()
