"""Storage measured: import against plain boto3, memory, CPU per upload, stills.

    python -m benchmarks.storage [--size-mib 256]

Real servers, the service in a process of its own, side by side with plain boto3 in one run.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from benchmarks.imports import import_rate
from benchmarks.measure import cpu_seconds
from benchmarks.table import Row
from services.storage.settings import Settings
from tests.integration.storage.conftest import SIGNING_KEY, client_of
from tests.integration.storage.service_process import process
from tests.servers import Bucket, SeaweedFS
from tests.unit.storage.clips import mp4

MIB = 1024 * 1024


def settings_for(folder: Path, bucket: Bucket | None, **more: Any) -> Settings:
    facts: dict[str, Any] = {
        "address": "127.0.0.1:0", "data_dir": folder, "signing_key": SIGNING_KEY, "derive": "",
        "min_free_bytes": 0, **more,
    }  # fmt: skip
    if bucket is not None:
        facts |= {
            "bucket": bucket.bucket, "s3_endpoint_url": bucket.endpoint_url,
            "s3_access_key_id": bucket.access_key, "s3_secret_access_key": bucket.secret_key,
        }  # fmt: skip
    return Settings(**facts)


async def upload_cost(folder: Path, bucket: Bucket | None) -> dict[str, Any]:
    """CPU for one clip of 500 kB, received, inspected, stored and committed.

    That of the service and of the process that looks into the clip for it.
    """
    clip = mp4(seconds=1, size=(320, 240))
    clip += (500_000 - len(clip)).to_bytes(4, "big") + b"free"
    clip += bytes(500_000 - len(clip))
    async with process(settings_for(folder, bucket)) as service, client_of(service.address) as acme:
        for number in range(10):
            await acme.upload(clip, f"warm {number}")
        began, wall = cpu_seconds([service.pid]), time.perf_counter()
        for number in range(100):
            # Other bytes each time, in the padding, so that nothing is deduplicated.
            await acme.upload(clip[:-8] + number.to_bytes(8, "big"), f"r{number}")
        cpu, wall = cpu_seconds([service.pid]) - began, time.perf_counter() - wall
    return {"bytes": len(clip), "cpu_ms": round(cpu * 10, 2), "wall_ms": round(wall * 10, 2)}


def film(folder: Path) -> bytes:
    """Ten seconds of FFmpeg's moving test picture at 720p, 24 a second."""
    path, picture = folder / "film.mp4", "testsrc2=size=1280x720:rate=24:duration=10"
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    told = ["-v", "error", "-f", "lavfi", "-i", picture, "-g", "48", "-pix_fmt", "yuv420p"]
    subprocess.run([ffmpeg, *told, "-movflags", "+faststart", str(path)], check=True)
    return path.read_bytes()


async def until_derived(folder: Path) -> dict[str, Any]:
    """Seconds from "stored" until that film has its stills, its preview and HLS."""
    clip = await asyncio.to_thread(film, folder)
    settings = settings_for(folder, None, derive="thumbnail,poster,contact_sheet,preview,hls")
    async with process(settings) as service, client_of(service.address) as acme:
        stored, began = await acme.upload(clip, "a film"), time.perf_counter()
        while len((await acme.get(stored.name)).derived) < 6:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
        return {"bytes": len(clip), "seconds": round(time.perf_counter() - began, 1)}


async def run(size_mib: int) -> dict[str, Any]:
    s3 = SeaweedFS()
    try:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            found: dict[str, Any] = {}
            for name, measure in (
                ("upload_folder", upload_cost(root / "a", None)),
                ("upload_s3", upload_cost(root / "b", s3.create_bucket())),
                ("derived", until_derived(root)),
                ("import", import_rate(s3, root, size_mib, settings_for)),
            ):
                found[name] = await measure
                print(name, found[name], file=sys.stderr, flush=True)
            return found
    finally:
        s3.close()


def rows() -> list[Row]:
    """The figures for the table of ``make bench``."""
    found = asyncio.run(run(1024))
    ours, folder = found["import"], found["upload_folder"]
    exact = ours["exact"]
    return [
        Row(
            f"import of {ours['size_mib']} MiB to S3",
            f"{ours['import_mib_s']} MiB/s",
            f"plain httpx and boto3: {ours['plain_boto3_mib_s']} MiB/s",
        ),
        Row(
            f"  times as fast as the script, median of {len(ours['ratios'])} pairs",
            f"{ours['ratio']} ({', '.join(map(str, ours['ratios']))})",
            ">= 0.9",
            exact["ratio"],
        ),
        Row(
            "  CPU of it",
            f"{ours['cpu_ms_per_mib']} ms/MiB",
            f"plain httpx and boto3: {ours['plain_boto3_cpu_ms_per_mib']} ms/MiB",
        ),
        Row(
            "  memory that it adds to the service",
            f"{ours['added_mib']} MiB",
            "<= 96 MiB",
            exact["added_mib"],
        ),
        Row(
            "  the service's own memory at the peak",
            f"{ours['peak_own_mib']} MiB, {ours['idle_own_mib']} before",
            "<= 96 MiB",
            exact["peak_own_mib"],
        ),
        Row(
            "  own memory of the two processes that look into media, on top while they are there",
            f"{ours['lookers_own_mib']} MiB",
            "",
        ),
        Row(
            "  with its part of the libraries' pages that processes share (PSS)",
            f"{ours['peak_fair_mib']} MiB",
            "<= 96 MiB",
            exact["peak_fair_mib"],
        ),
        Row(
            "  with all of those pages, whoever else has them (RSS)",
            f"{ours['peak_mib']} MiB, {ours['idle_mib']} before",
            f"<= 96 MiB; plain httpx and boto3: {ours['plain_boto3_peak_mib']} MiB",
            exact["peak_mib"],
        ),
        Row("CPU of an upload of 500 kB to a folder", f"{folder['cpu_ms']} ms", "< 10 ms"),
        Row("CPU of an upload of 500 kB to S3", f"{found['upload_s3']['cpu_ms']} ms", ""),
        Row(
            "stills, preview and HLS of a film of 10 s at 720p, once it is stored",
            f"{found['derived']['seconds']} s",
            "< 10 s",
        ),
    ]


def main() -> None:
    """Print one JSON object."""
    options = argparse.ArgumentParser()
    options.add_argument("--size-mib", type=int, default=1024)
    chosen = options.parse_args()
    print(json.dumps(asyncio.run(run(chosen.size_mib)), indent=2))


if __name__ == "__main__":
    main()
