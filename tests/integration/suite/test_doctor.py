"""`reelmesh doctor` asks the bucket itself whether it can be used."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.suite.cli import app
from tests.servers import Bucket


async def objects(folder: Path, bucket: Bucket, **told: str) -> dict[str, str]:
    """What the doctor finds of the place where bytes are kept."""
    env = {
        "AWS_ENDPOINT_URL_S3": bucket.endpoint_url,
        "AWS_ACCESS_KEY_ID": bucket.access_key,
        "AWS_SECRET_ACCESS_KEY": bucket.secret_key,
        "S3_BUCKET_NAME": bucket.bucket,
        **told,
    }
    words = ["doctor", "--json", "--data-dir", str(folder), "--address", "127.0.0.1:9"]
    answer = await asyncio.to_thread(CliRunner().invoke, app, words, env=env)
    findings = json.loads(answer.stdout[answer.stdout.index("{") :])["findings"]
    (found,) = [each for each in findings if each["topic"] == "objects"]
    assert (answer.exit_code == 0) == all(each["level"] != "bad" for each in findings)
    return dict(found)


async def test_a_bucket_that_answers_is_told_as_such(s3: Bucket, tmp_path: Path) -> None:
    found = await objects(tmp_path, s3)
    assert found["level"] == "ok"
    assert "answers" in found["text"]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"S3_BUCKET_NAME": "never-made"}, "there is no such bucket"),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "the object store is away"),
    ],
)
async def test_a_bucket_that_cannot_be_used_is_told_with_what_to_do(
    s3: Bucket, tmp_path: Path, told: dict[str, str], text: str
) -> None:
    found = await objects(tmp_path, s3, **told)
    assert found["level"] == "bad"
    assert text in found["text"]
