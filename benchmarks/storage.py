"""Storage measured: import against plain boto3, memory, CPU per upload, stills, 100,000 assets.

    python -m benchmarks.storage [--size-mib 256] [--assets 100000]

Real servers, the service in a process of its own, side by side with plain boto3 in one run.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import imageio_ffmpeg
from sqlalchemy import insert, text

from benchmarks.imports import import_rate
from benchmarks.meanings import latency
from benchmarks.measure import cpu_seconds
from benchmarks.table import Row
from services.common.database import Database
from services.common.ids import new_id
from services.common.migrate import migrate
from services.storage.adapters.asset_rows import to_row
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_search import SqlSearch
from services.storage.adapters.tables import assets, usage
from services.storage.adapters.word_index import WORD_INDEXES
from services.storage.domain.assets import Asset, AssetState, Description
from services.storage.domain.facets import Facets
from services.storage.domain.keys import ObjectKey
from services.storage.domain.meaning import concepts
from services.storage.domain.ports import Query
from services.storage.settings import Settings
from tests.integration.storage.conftest import SIGNING_KEY, client_of
from tests.integration.storage.service_process import process
from tests.servers import Bucket, Postgres, SeaweedFS
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


def one(number: int, now: datetime) -> Asset:
    facets = Facets(
        characters=(f"person {number % 400}",),
        landscapes=(f"place {number % 60}", "victorian" if number % 7 == 0 else "modern"),
        mood=("calm", "tense", "joyful", "sad")[number % 4],
        time_of_day=("day", "night", "dawn")[number % 3],
        shot_type=("close-up", "wide", "medium")[number % 3],
    )
    identifier = new_id()
    return Asset(
        id=identifier, tenant="acme", state=AssetState.STORED,
        key=ObjectKey(f"acme/{identifier}", 1, "mp4"),
        description=Description(content_type="video/mp4", facets=facets),
        request_id=identifier, fingerprint="f", create_time=now, size_bytes=1, sha256=identifier,
    )  # fmt: skip


async def fill(database: Database, count: int) -> None:
    now = datetime.now(UTC)
    for start in range(0, count, 2000):
        made = [one(number, now) for number in range(start, min(count, start + 2000))]
        async with database.begin() as connection:
            await connection.execute(insert(assets), [to_row(asset) for asset in made])
            await WORD_INDEXES[database.engine.dialect.name].insert(connection, *made)
    async with database.begin() as connection:
        row = {"tenant": "acme", "size_bytes": count, "assets": count}
        await connection.execute(insert(usage).values(**row))
        await connection.execute(text("ANALYZE"))


async def p95(call: Callable[[], Awaitable[Any]], times: int = 60) -> float:
    """Milliseconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await call()
        took.append((time.perf_counter() - began) * 1000)
    return round(statistics.quantiles(took, n=20)[-1], 1)


async def find_latency(count: int, url: str) -> dict[str, Any]:
    async with Database(url, schema="storage") as database:
        migrations = Path(__file__).parents[1] / "services/storage/adapters/migrations"
        await migrate(database, migrations)
        await fill(database, count)
        store, search = SqlAssets(database, now=lambda: datetime.now(UTC)), SqlSearch(database)
        rare = Facets(characters=("person 7",), landscapes=("victorian",), shot_type="wide")
        common = Facets(mood="calm", time_of_day="night")
        none = Facets(characters=("nobody",), mood="calm")

        def page(facets: Facets | None, before: str = "") -> Callable[[], Awaitable[Any]]:
            query = Query(tenant="acme", limit=51, facets=facets, before=before)
            return lambda: store.page(query)

        def ask(question: str) -> Callable[[], Awaitable[Any]]:
            words = concepts(question)
            return lambda: search.best("acme", words, facets=Facets(), limit=10)

        return {
            "assets": count,
            "list_p95_ms": await p95(page(None)),
            "find_rare_p95_ms": await p95(page(rare)),
            "find_common_p95_ms": await p95(page(common)),
            "find_none_p95_ms": await p95(page(none)),
            "search_rare_p95_ms": await p95(
                ask("a sad person 7 at a victorian place in the night")
            ),
            "search_common_p95_ms": await p95(ask("a calm night")),
            "search_unmet_p95_ms": await p95(ask("calm and sad and tense at dawn by day")),
        }


async def run(size_mib: int, count: int) -> dict[str, Any]:
    async def filled(database: Database) -> None:
        await fill(database, count)

    postgres, s3 = Postgres(), SeaweedFS()
    try:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            found: dict[str, Any] = {}
            for name, measure in (
                ("find_postgres", find_latency(count, postgres.create_database())),
                ("find_sqlite", find_latency(count, f"sqlite:///{root / 'find.db'}")),
                ("meaning", latency(postgres.create_database(), filled, 256)),
                ("upload_folder", upload_cost(root / "a", None)),
                ("upload_s3", upload_cost(root / "b", s3.create_bucket())),
                ("derived", until_derived(root)),
                ("import", import_rate(s3, root, size_mib, settings_for)),
            ):
                found[name] = await measure
                print(name, found[name], file=sys.stderr, flush=True)
            return found
    finally:
        postgres.close()
        s3.close()


def rows() -> list[Row]:
    """The figures for the table of ``make bench``."""
    found = asyncio.run(run(1024, 100_000))
    ours, folder, find = found["import"], found["upload_folder"], found["find_postgres"]
    exact = ours["exact"]
    slowest = max(find[name] for name in find if name.startswith("find"))
    searched = max(find[name] for name in find if name.startswith("search"))
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
        Row("FindAssets in 100,000 on PostgreSQL, p95", f"{slowest} ms", "< 50 ms"),
        Row("SearchAssets in 100,000 on PostgreSQL, p95", f"{searched} ms", "< 50 ms"),
        Row(
            "  by meaning, by 256 numbers, without the embedder's own time",
            f"{max(found['meaning'].values())} ms",
            "< 50 ms",
        ),
    ]


def main() -> None:
    """Print one JSON object."""
    options = argparse.ArgumentParser()
    options.add_argument("--size-mib", type=int, default=1024)
    options.add_argument("--assets", type=int, default=100_000)
    chosen = options.parse_args()
    print(json.dumps(asyncio.run(run(chosen.size_mib, chosen.assets)), indent=2))


if __name__ == "__main__":
    main()
