"""What a script with httpx and boto3 does: fetch a URL to a file and send it to a bucket.

    python -m benchmarks.plain_import ENDPOINT BUCKET ACCESS_KEY SECRET_KEY URL FOLDER

For each line on standard input it does so once and prints the seconds that it took. Every import
has a file of its own, as every clip has: writing over one file again and again would spare the
kernel finding memory for it.
"""

import sys
import time
from pathlib import Path

import boto3
import httpx
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

PARTS = TransferConfig(multipart_chunksize=8 * 1024 * 1024, max_concurrency=3)


def main() -> None:
    """Measure as often as asked."""
    endpoint, bucket, access_key, secret_key, url, folder = sys.argv[1:]
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id=access_key,
        aws_secret_access_key=secret_key, region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
    for number, _ in enumerate(sys.stdin):
        path = Path(folder) / f"plain{number}.bin"
        began = time.perf_counter()
        with httpx.Client() as http, http.stream("GET", url) as answer, path.open("xb") as target:
            for chunk in answer.iter_raw():
                target.write(chunk)
        client.upload_file(str(path), bucket, path.name, Config=PARTS)
        path.unlink()
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
