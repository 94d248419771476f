"""Pictures that are too big for a request, in the form that each vendor takes."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from services.common.errors import PermissionDenied, ProviderRefused
from services.common.fetching import fetching_client
from services.common.url_policy import UrlPolicy
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.addresses import CallbackAddresses
from services.generator.domain.circuit import Circuit
from services.generator.domain.limits import validate_request
from services.generator.domain.orders import asset_media
from services.generator.domain.ports import Accepted, Made, Work
from services.generator.domain.tasks import Media, VideoTask
from services.generator.providers.adapter import Place
from services.generator.providers.download import Downloader
from services.generator.providers.upload import Uploader
from services.generator.usecases.references import References
from services.generator.worker.ear import Ear
from services.generator.worker.hosted import HostedBackend, Vendor
from services.generator.worker.pace import Pacer
from services.generator.worker.spool import Spool
from tests.contract.simulator.driving import Drive, now, providers
from tests.fakes.generator_parts import MemoryStorage, entry
from tests.fakes.simulator import Simulated

PNG = b"\x89PNG\r\n\x1a\n" + bytes(4_000_000)
CATALOGUE = load_catalogue()
TAKING = ("runway_gen4_5", "pika_v2", "replicate_api", "fal_wan_2_7")


class Album(MemoryStorage):
    """Storage on a machine that no vendor can reach, with one big picture."""

    async def read(self, tenant: str, asset: str) -> tuple[bytes, str]:
        return PNG, "image/png"


def backend(
    drive: Drive, http: httpx.AsyncClient, policy: UrlPolicy, folder: Path
) -> HostedBackend:
    return HostedBackend(
        Vendor(
            provider="any",
            adapter=drive.adapter,
            client=drive.client,
            downloader=Downloader(http, policy, now=now),
            uploader=Uploader(http, policy),
            pacer=Pacer(100.0),
            ear=Ear(http, now=now),
            addresses=CallbackAddresses("", ""),
            now=now,
            circuit=Circuit(),
            spool=Spool(folder),
            poll_seconds=0.05,
        )
    )


@pytest.mark.parametrize("name", TAKING)
async def test_a_big_picture_is_uploaded_and_the_clip_made_from_it(
    sim: Simulated, tmp_path: Path, name: str
) -> None:
    model, row = CATALOGUE.get(name), entry()
    asked = validate_request(model, VideoTask(prompt="A boat", image=asset_media("abc"))).task
    adapter = providers(sim).get(model.provider)
    assert adapter is not None
    work = Work(
        id="g1",
        tenant="acme",
        model=model,
        identity=row.generation.identity,
        task=asked,
        order=row.order,
    )
    policy = UrlPolicy(allowed_hosts=frozenset({sim.world.media_url.removeprefix("http://")}))
    async with Drive(sim, adapter) as drive, fetching_client(timeout=httpx.Timeout(5)) as http:
        vendor = backend(drive, http, policy, tmp_path)
        sent = await References(Album(host="http://127.0.0.1:1")).ready(work, vendor.take_in)
        assert isinstance(sent, VideoTask)
        assert sent.image is not None
        assert not sent.image.data
        identity = replace(work.identity, vendor_model=model.vendor_model(sent))
        ready = replace(work, identity=identity, task=sent)
        outcome = await vendor.submit(ready)
        assert isinstance(outcome, Accepted)
        last = [update async for update in vendor.updates(ready, outcome.job)][-1]
        assert isinstance(last, Made), last
    assert list(sim.world.pictures.values()) == [PNG]
    assert await sim.kept("leaks") == []
    assert (await sim.bill())["count"] == 1


async def test_nothing_is_put_at_a_private_address_and_a_closed_one_says_so(sim: Simulated) -> None:
    place = Place("runway://x", f"{sim.world.media_url}/uploads/x", {"policy": "made up"})
    picture = Media(data=b"png")
    allowed = frozenset({sim.world.media_url.removeprefix("http://")})
    async with fetching_client(timeout=httpx.Timeout(5)) as http:
        with pytest.raises(PermissionDenied):
            await Uploader(http, UrlPolicy(allow_http=True)).put(place, picture)
        with pytest.raises(ProviderRefused, match="403"):
            await Uploader(http, UrlPolicy(allowed_hosts=allowed)).put(place, picture)
    assert not sim.world.pictures


async def test_a_key_that_does_not_serve_is_told_before_anything_is_uploaded(
    sim: Simulated,
) -> None:
    adapter = providers(sim).get("runway")
    assert adapter is not None
    wrong = adapter.model_copy(update={"api_key": SecretStr("wrong")})
    async with Drive(sim, wrong) as drive:
        with pytest.raises(ProviderRefused):
            await drive.client.upload(Media(data=b"png"))
