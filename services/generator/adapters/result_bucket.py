"""Results in a bucket, for whoever has no way to the storage service."""

import asyncio
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.common.errors import Unavailable

_DAY = 24 * 3600


class ResultBucket:
    """Uploads files and signs addresses that give them for a day.

    The keys, the region and the address are boto3's own: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_REGION, AWS_ENDPOINT_URL_S3.
    """

    def __init__(self, bucket: str, prefix: str = "", client: Any = None) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        config = Config(s3={"addressing_style": "path"}, retries={"mode": "standard"})
        self._client: Any = client or boto3.client("s3", config=config)

    async def put(self, path: Path, content_type: str) -> str:
        """Upload a file under its name and return its address. Raises Unavailable."""
        return await asyncio.to_thread(self._put, path, content_type)

    def _put(self, path: Path, content_type: str) -> str:
        key = f"{self._prefix}/{path.name}" if self._prefix else path.name
        place = {"Bucket": self._bucket, "Key": key}
        try:
            self._client.upload_file(
                str(path), self._bucket, key, ExtraArgs={"ContentType": content_type}
            )
            found: str = self._client.generate_presigned_url(
                "get_object", Params=place, ExpiresIn=_DAY
            )
        except (BotoCoreError, ClientError, OSError) as error:
            message = f"the result could not be uploaded: {type(error).__name__}"
            raise Unavailable(message) from error
        return found
