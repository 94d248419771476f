"""Signed media over real HTTP, the bytes from a real gRPC stream."""

import random
from datetime import timedelta

import pytest

from services.common import clock
from services.common.media_urls import MediaGrant
from tests.integration.gateway.conftest import Gateway

CONTENT = random.Random(7).randbytes(300_000)


def signed(gateway: Gateway, *, tenant: str = "default", seconds: float = 60, **changes) -> str:
    fields = {"file_name": "clip.mp4", "content_type": "video/mp4", **changes}
    expires = clock.now() + timedelta(seconds=seconds)
    return gateway.urls.sign(MediaGrant(tenant=tenant, asset_id="a1", expires=expires, **fields))


async def test_the_whole_file_comes_with_what_a_player_needs(gateway: Gateway):
    gateway.storage.put("assets/a1", CONTENT)
    answer = await gateway.http.get(signed(gateway))

    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == "300000"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == 'inline; filename="clip.mp4"'
    assert answer.headers["cache-control"].startswith("private, max-age=")


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-70000", 100, 70_000),
        ("bytes=299990-", 299_990, 299_999),
        ("bytes=-10", 299_990, 299_999),
        ("bytes=5-999999999", 5, 299_999),
    ],
)
async def test_a_range_is_exactly_its_bytes(gateway: Gateway, header: str, start: int, end: int):
    gateway.storage.put("assets/a1", CONTENT)
    answer = await gateway.http.get(signed(gateway), headers={"range": header})

    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {start}-{end}/300000"
    assert answer.content == CONTENT[start : end + 1]
    assert gateway.storage.bytes_read == end - start + 1


async def test_a_range_behind_the_end_is_416(gateway: Gateway):
    gateway.storage.put("assets/a1", CONTENT)
    answer = await gateway.http.get(signed(gateway), headers={"range": "bytes=300000-"})

    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */300000"


async def test_head_reads_no_bytes(gateway: Gateway):
    gateway.storage.put("assets/a1", CONTENT)
    answer = await gateway.http.head(signed(gateway))

    assert answer.status_code == 200
    assert answer.headers["content-length"] == "300000"
    assert gateway.storage.bytes_read == 0


async def test_validators_save_the_bytes(gateway: Gateway):
    gateway.storage.put("assets/a1", CONTENT)
    url = signed(gateway)
    etag = (await gateway.http.head(url)).headers["etag"]

    same = await gateway.http.get(url, headers={"if-none-match": f'"x", {etag}'})
    resumed = await gateway.http.get(url, headers={"range": "bytes=0-9", "if-range": etag})
    changed = await gateway.http.get(url, headers={"range": "bytes=0-9", "if-range": '"other"'})

    assert (same.status_code, same.content) == (304, b"")
    assert resumed.status_code == 206
    assert (changed.status_code, len(changed.content)) == (200, 300_000)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/media/default/", "/media/other/"),
        ("/a1/", "/a2/"),
        ("clip.mp4", "clip.html"),
        ("type=video%2Fmp4", "type=text%2Fhtml"),
        ("disp=i", "disp=a"),
        ("sig=", "sig=A"),
        ("exp=1", "exp=9"),
        ("exp=", "axp="),
    ],
)
async def test_a_url_that_was_changed_anywhere_is_refused(gateway: Gateway, old: str, new: str):
    gateway.storage.put("assets/a1", CONTENT)
    gateway.storage.put("assets/a2", CONTENT)
    gateway.storage.put("assets/a1", CONTENT, tenant="other")
    url = signed(gateway)
    assert old in url

    answer = await gateway.http.get(url.replace(old, new))

    assert answer.status_code == 403
    assert answer.json()["details"][0]["reason"] == "PERMISSION_DENIED"
    assert gateway.storage.bytes_read == 0


async def test_an_expired_url_is_refused(gateway: Gateway):
    gateway.storage.put("assets/a1", CONTENT)
    answer = await gateway.http.get(signed(gateway, seconds=-1))

    assert answer.status_code == 403
    assert "expired" in answer.json()["message"]


async def test_a_url_reads_in_the_name_of_its_own_tenant(gateway: Gateway):
    gateway.storage.put("assets/a1", b"theirs", tenant="acme & sons/ü")
    answer = await gateway.http.get(signed(gateway, tenant="acme & sons/ü"))
    foreign = await gateway.http.get(signed(gateway, tenant="nobody"))

    assert answer.content == b"theirs"
    assert foreign.status_code == 404


async def test_what_could_carry_a_script_is_saved_and_not_shown(gateway: Gateway):
    gateway.storage.put("assets/a1", b"<svg/>")
    answer = await gateway.http.get(
        signed(gateway, content_type="image/svg+xml", file_name="ü.svg")
    )

    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "filename*=UTF-8''%C3%BC.svg" in answer.headers["content-disposition"]
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_a_lost_file_is_an_error_and_not_half_a_video(gateway: Gateway):
    gateway.storage.put("assets/a1", CONTENT)
    gateway.storage.damaged = True
    answer = await gateway.http.get(signed(gateway))

    assert answer.status_code == 500
    assert answer.json()["details"][0]["reason"] == "DATA_LOSS"


async def test_an_empty_file_is_empty(gateway: Gateway):
    gateway.storage.put("assets/a1", b"")
    answer = await gateway.http.get(signed(gateway))

    assert (answer.status_code, answer.content) == (200, b"")
