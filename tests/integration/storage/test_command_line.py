"""`reelmesh export`, `recipe`, `assets` and `link`, as a person types them."""

import asyncio
import json
from pathlib import Path

import pytest
from google.protobuf import json_format
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from reelmesh.orchestrator.v1.video_service_pb2 import (
    CACHE_MODE_OFF,
    ENHANCE_OFF,
    GenerateVideoRequest,
)
from reelmesh.storage.v1 import asset_pb2
from services.common.errors import Unavailable
from services.storage.__main__ import running
from services.storage.settings import Settings
from services.suite.cli import app
from services.suite.commands import gallery
from tests.fakes.file_server import FileServer
from tests.integration.storage.conftest import Client, client_of
from tests.servers import Bucket
from tests.unit.storage.clips import mp4

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.parametrize("settings", ["folder"], indirect=True),
]


async def typed(*words: str) -> Result:
    """What the command answers, run in a thread: it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, list(words))


@pytest.fixture
def mine(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": False})


async def stored(client: Client, count: int) -> list[tuple[str, bytes]]:
    clips = [mp4(seed=number) for number in range(count)]
    return [((await client.upload(clip, f"r{n}")).name, clip) for n, clip in enumerate(clips)]


async def test_an_export_is_a_folder_of_files_and_an_index(mine: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "everything"
    async with running(mine) as address, client_of(address, "default") as client:
        assets = await stored(client, 2)
        gone = await client.upload(mp4(seed=8), "gone")
        await client.delete(gone.name)
        answer = await typed("export", str(folder), "--address", address)
        assert answer.exit_code == 0, answer.output
        late = await client.upload(mp4(seed=9), "late")
        (folder / "half.mp4.part").write_bytes(b"of an export that broke off")
        again = await typed("export", str(folder), "--address", address)
        assert again.exit_code == 0, again.output
    lines = [json.loads(line) for line in (folder / "assets.jsonl").read_text().splitlines()]
    assert [line["name"] for line in lines] == [*(name for name, _ in assets), gone.name, late.name]
    files = [folder / Path(line["key"]).name for line in lines]
    assert [file.read_bytes() for file in files[:2]] == [clip for _, clip in assets]
    assert not files[2].exists()
    assert files[3].read_bytes() == mp4(seed=9)


async def test_what_is_deleted_after_an_export_leaves_the_next_one_with_its_proof(
    mine: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "everything"
    async with running(mine) as address, client_of(address, "default") as client:
        (gone, _), (kept, clip) = await stored(client, 2)
        assert (await typed("export", str(folder), "--address", address)).exit_code == 0
        await client.delete(gone)
        for _ in range(2):
            answer = await typed("export", str(folder), "--address", address)
            assert answer.exit_code == 0, answer.output
    lines = [json.loads(line) for line in (folder / "assets.jsonl").read_text().splitlines()]
    told = [(line["name"], line["state"]) for line in lines]
    assert told == [
        (gone, "STATE_STORED"), (kept, "STATE_STORED"), (gone, "STATE_DELETED"),
    ]  # fmt: skip
    assert [path.read_bytes() for path in folder.glob("*.mp4")] == [clip]


async def test_an_export_goes_on_where_the_machine_stopped_in_the_middle_of_a_line(
    mine: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "everything"
    index = folder / "assets.jsonl"
    async with running(mine) as address, client_of(address, "default") as client:
        assets = await stored(client, 3)
        assert (await typed("export", str(folder), "--address", address)).exit_code == 0
        whole = index.read_bytes()
        index.write_bytes(whole[:-40])
        again = await typed("export", str(folder), "--address", address)
        assert again.exit_code == 0, again.output
        assert index.read_bytes() == whole
        assert "1 assets" in again.output
    assert {path.read_bytes() for path in folder.glob("*.mp4")} == {clip for _, clip in assets}


async def test_an_export_goes_on_past_what_is_damaged_and_names_it(
    mine: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "everything"
    async with running(mine) as address, client_of(address, "default") as client:
        (lost, clip), (cut, whole), (kept, other) = await stored(client, 3)
        objects = [tmp_path / "assets" / (await client.get(name)).key for name in (lost, cut)]
        objects[0].unlink()
        objects[1].write_bytes(whole[:-9])
        for _ in range(2):
            answer = await typed("export", str(folder), "--address", address)
            assert answer.exit_code == 6, answer.output
            assert lost in answer.output
            assert cut in answer.output
        lines = [json.loads(line) for line in (folder / "assets.jsonl").read_text().splitlines()]
        told = {line["name"]: line.get("missing", "") for line in lines}
        assert len(lines) == 3, "told once"
        assert told[lost]
        assert "shorter" in told[cut]
        assert not told[kept]
        assert [path.read_bytes() for path in folder.glob("*.mp4")] == [other]
        objects[0].write_bytes(clip)
        objects[1].write_bytes(whole)
        answer = await typed("export", str(folder), "--address", address)
        assert answer.exit_code == 0, answer.output
    assert {path.read_bytes() for path in folder.glob("*.mp4")} == {clip, whole, other}
    lines = [json.loads(line) for line in (folder / "assets.jsonl").read_text().splitlines()]
    assert "missing" not in {line["name"]: line for line in lines}[lost]


async def test_an_export_brings_again_what_its_folder_has_lost(
    mine: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "everything"
    async with running(mine) as address, client_of(address, "default") as client:
        assets = await stored(client, 3)
        assert (await typed("export", str(folder), "--address", address)).exit_code == 0
        gone, short, _ = sorted(folder.glob("*.mp4"))
        gone.unlink()
        short.write_bytes(b"short")
        again = await typed("export", str(folder), "--address", address)
        assert again.exit_code == 0, again.output
    assert "2 assets" in again.output
    assert {path.read_bytes() for path in folder.glob("*.mp4")} == {clip for _, clip in assets}
    assert len((folder / "assets.jsonl").read_text().splitlines()) == 3


async def test_a_recipe_asks_for_the_same_again(mine: Settings) -> None:
    lineage = asset_pb2.Lineage(model="google_veo", prompt="a fox", seed=2**62 + 1)
    lineage.parameters.update(
        {
            "duration_seconds": 5.5, "aspect_ratio": "9:16", "fps": 24, "image": "assets/01a",
            "options": {"google": {"a": True}}, "unknown": [1],
        }
    )  # fmt: skip
    async with running(mine) as address, client_of(address, "default") as client:
        asset = await client.upload(mp4(), "r1", lineage=lineage)
        answer = await typed("recipe", asset.name.removeprefix("assets/"), "--address", address)
    assert answer.exit_code == 0, answer.output
    # Beside what the service in this process logs.
    printed = next(line for line in answer.stdout.splitlines() if line.startswith("{"))
    wanted = json_format.Parse(printed, GenerateVideoRequest())
    assert (wanted.model, wanted.prompt, wanted.seed) == ("google_veo", "a fox", 2**62 + 1)
    assert (wanted.aspect_ratio, wanted.fps, wanted.image.asset) == ("9:16", 24, "assets/01a")
    assert wanted.duration.ToMilliseconds() == 5500
    assert (wanted.enhance, wanted.cache.mode) == (ENHANCE_OFF, CACHE_MODE_OFF)
    assert json_format.MessageToDict(wanted.options) == {"google": {"a": True}}


async def test_a_recipe_of_what_no_model_was_asked_for_is_refused(mine: Settings) -> None:
    cut = asset_pb2.Lineage(model="compose", untrained=True)
    async with running(mine) as address, client_of(address, "default") as client:
        for number, lineage in enumerate((cut, asset_pb2.Lineage())):
            asset = await client.upload(mp4(), f"r{number}", lineage=lineage)
            answer = await typed("recipe", asset.name, "--address", address)
            assert answer.exit_code == 4
            assert "is no clip that a model was asked for" in answer.output


async def test_what_is_there_is_listed_found_searched_and_shared(mine: Settings) -> None:
    drawing = mine.model_copy(update={"derive": "thumbnail"})
    attic = asset_pb2.Facets(characters=["Emma"], landscapes=["attic"], mood="sad")
    beach = asset_pb2.Facets(landscapes=["beach"], mood="calm")
    async with running(drawing) as address, client_of(address, "default") as client:

        async def shown(*words: str) -> set[str]:
            answer = await typed("assets", *words, "--json", "--address", address)
            assert answer.exit_code == 0, answer.output
            printed = next(line for line in answer.stdout.splitlines() if line.startswith("{"))
            return {each["name"] for each in json.loads(printed).get("assets", [])}

        one = (await client.upload(mp4(), "r1", facets=attic, labels={"campaign": "x"})).name
        two = (await client.upload(mp4(seed=1), "r2", facets=beach)).name
        assert await shown() == {one, two}
        assert await shown("--limit", "1") == {two}
        assert await shown("--with", "characters=emma", "--with", "mood=sad") == {one}
        assert await shown("--with", "campaign=x") == {one}
        assert await shown("a melancholy woman called Emma in a loft") == {one}
        assert await shown("a shore", "--with", "mood=sad") == set()
        table = await typed("assets", "--address", address)
        assert one.removeprefix("assets/") in table.output
        wrong = await typed("assets", "--with", "mood", "--address", address)
        assert wrong.exit_code == 2
        unheard = await typed("assets", "a shore", "--with", "campaign=x", "--address", address)
        assert unheard.exit_code == 2
        assert "campaign" in unheard.output, "never a label that is passed over"
        while not (await client.get(one)).derived:  # noqa: ASYNC110 - it is made by another process
            await asyncio.sleep(0.05)
        whole = await typed("link", one, "--address", address)
        assert f"/media/default/{one.removeprefix('assets/')}" in whole.stdout
        still = await typed("link", one, "--of", "thumbnail", "--address", address)
        assert ".jpg" in still.stdout
        missing = await typed("link", one, "--of", "poster", "--address", address)
        assert missing.exit_code == 4
        assert "thumbnail" in missing.output, "what there is instead"
        unmade = await typed("link", one, "--playlist", "--address", address)
        assert unmade.exit_code == 4
        assert "no HLS rendition" in unmade.output


async def test_a_file_is_put_in_held_taken_out_and_deleted(mine: Settings, tmp_path: Path) -> None:
    clip = tmp_path / "attic.mp4"
    clip.write_bytes(mp4())
    async with running(mine) as address, client_of(address, "default") as client:

        async def done(*words: str, code: int = 0) -> str:
            answer = await typed(*words, "--address", address)
            assert answer.exit_code == code, answer.output
            return answer.output

        async def put(*words: str) -> str:
            told = (await done("upload", str(clip), *words)).splitlines()
            return next(line for line in told if line.startswith("assets/"))

        name = await put("--label", "who=emma", "--creative", "c")
        assert await put("--label", "who=emma", "--creative", "c") == name, "brought once"
        assert await put() != name
        found = await client.get(name)
        assert (dict(found.labels), found.creative_id) == ({"who": "emma"}, "c")
        assert "NAME=VALUE" in await done("upload", str(clip), "--label", "who", code=2)
        assert "no file" in await done("upload", str(tmp_path / "none.mp4"), code=2)
        target = tmp_path / "out.mp4"
        await done("download", name.removeprefix("assets/"), "--to", str(target))
        assert target.read_bytes() == clip.read_bytes()
        assert "there already" in await done("download", name, "--to", str(target), code=2)
        assert name not in await done("assets", "--held", "--json")
        await done("hold", name)
        assert (await client.get(name)).legal_hold
        assert (await done("assets", "--held", "--json")).count('"sha256"') == 1
        assert "legal hold" in await done("delete", name, "--yes", code=4)
        await done("hold", name, "--release")
        await done("delete", name, "--yes")
        assert (await client.get(name)).state == asset_pb2.Asset.STATE_DELETED
        assert "without a quota, kept until deleted" in await done("usage")
        again = await put("--label", "who=emma", "--creative", "c")
        assert (await client.get(again)).state == asset_pb2.Asset.STATE_STORED


async def test_one_asset_is_shown_with_all_that_is_known_of_it(
    mine: Settings, tmp_path: Path
) -> None:
    clip = tmp_path / "attic.mp4"
    clip.write_bytes(mp4())
    async with running(mine) as address, client_of(address, "default") as client:

        async def done(*words: str, code: int = 0) -> str:
            answer = await typed(*words, "--address", address)
            assert answer.exit_code == code, answer.output
            return answer.output

        shown = ("--with", "characters=Emma", "--with", "characters=Ana", "--with", "mood=calm")
        put = await done("upload", str(clip), *shown, "--label", "campaign=x", "--creative", "c")
        name = next(line for line in put.splitlines() if line.startswith("assets/"))
        found = await client.get(name)
        assert (list(found.facets.characters), found.facets.mood) == (["emma", "ana"], "calm")
        told = await done("asset", name.removeprefix("assets/"))
        for fact in (
            name, "stored", "video/mp4", found.sha256, "emma, ana", "c, iteration 1", "campaign",
            f"({found.size_bytes} bytes)", "manifest absent",
        ):  # fmt: skip
            assert fact in "".join(line.strip() for line in told.splitlines()), told
        printed = await done("asset", name, "--json")
        assert found.sha256 in printed
        assert "chracters is no facet" in await done(
            "upload", str(clip), "--with", "chracters=Emma", code=2
        )
        unheard = " ".join((await done("assets", "--with", "chracters=Emma")).split())
        assert "chracters is no facet (those are characters, landscapes" in unheard
        await client.upload(mp4(seed=1), "r2")
        assert "There are more" in await done("assets", "--limit", "1")
        assert "There are more" not in await done("assets", "--limit", "2")
        assert "reelmesh assets" in await done("asset", "none", code=4)


async def test_what_waits_in_the_spool_is_listed_with_what_it_waits_for(
    mine: Settings, s3: Bucket
) -> None:
    away = mine.model_copy(
        update={
            "bucket": s3.bucket, "s3_endpoint_url": "http://127.0.0.1:9",
            "s3_access_key_id": s3.access_key,
            "s3_secret_access_key": SecretStr(s3.secret_key),
        }
    )  # fmt: skip
    async with running(away) as address, client_of(address, "default") as client:
        with pytest.raises(Unavailable, match="spool"):
            await client.upload(mp4(), "r1")
        answer = await typed("assets", "--waiting", "--json", "--address", address)
        assert answer.exit_code == 0, answer.output
        printed = next(line for line in answer.stdout.splitlines() if line.startswith("{"))
        [waiting] = json.loads(printed)["assets"]
        assert (waiting["state"], bool(waiting["stateReason"])) == ("STATE_WRITING", True)
        table = await typed("assets", "--waiting", "--address", address)
        assert "waits for" in table.output
        one = await typed("asset", waiting["name"], "--address", address)
        assert "writing: " in one.output
        both = await typed("assets", "--waiting", "--with", "mood=sad", "--address", address)
        assert both.exit_code == 2


async def test_an_address_is_fetched_and_lists_may_be_longer_than_a_page(
    mine: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "_MOST_IN_A_PAGE", 2)
    async with FileServer(data=mp4()).serving() as vendor:
        hosts = frozenset({f"127.0.0.1:{vendor.port}"})
        fetching = mine.model_copy(update={"import_allowed_hosts": hosts})
        async with running(fetching) as address:
            for _ in range(4):
                assert (await typed("upload", vendor.url, "--address", address)).exit_code == 0
            answer = await typed("assets", "--json", "--limit", "3", "--address", address)
            every = await typed("assets", "--json", "--limit", "9", "--address", address)
    assert (answer.stdout.count('"sha256"'), every.stdout.count('"sha256"')) == (3, 4)


async def test_a_service_that_is_not_there_is_told(mine: Settings, tmp_path: Path) -> None:
    answer = await typed("export", str(tmp_path / "x"), "--address", "127.0.0.1:9")
    assert answer.exit_code == 3
    assert "Nothing answers at 127.0.0.1:9" in answer.output
    assert "STORAGE_ADDRESS" in answer.output


async def test_what_storage_refuses_comes_with_advice_that_helps_or_none(
    mine: Settings, tmp_path: Path
) -> None:
    async with FileServer(data=mp4()).serving() as vendor, running(mine) as address:
        inside = await typed("upload", vendor.url, "--address", address)
        assert (inside.exit_code, "keys create" in inside.output) == (4, False), inside.output
        hosts = frozenset({f"127.0.0.1:{vendor.port}"})
        vendor.refusals = [(404, {})]
        async with running(mine.model_copy(update={"import_allowed_hosts": hosts})) as fetching:
            missing = await typed("upload", vendor.url, "--address", fetching)
        async with client_of(address, "default") as client:
            asset = await client.upload(mp4(), "r1")
        beside = tmp_path / "nodir" / "x"
        target = await typed("download", asset.name, "--to", str(beside), "--address", address)
    assert missing.exit_code == 4, missing.output
    assert f"{vendor.url.partition('?')[0]} (HTTP 404)' not found" in missing.output
    assert "reelmesh jobs" not in missing.output
    assert target.exit_code == 2
    assert "No such file or directory" in target.output
    assert "Traceback" not in target.output
