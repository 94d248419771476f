"""Makes the back end of a vendor from what all vendors share."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx

from services.common import clock
from services.common.fetching import fetching_client
from services.common.url_policy import UrlPolicy
from services.generator.domain.addresses import CallbackAddresses
from services.generator.domain.circuit import Circuits
from services.generator.providers.adapter import Adapter
from services.generator.providers.client import Client
from services.generator.providers.connections import TIMEOUT, vendor_http
from services.generator.providers.download import Downloader
from services.generator.providers.upload import Uploader
from services.generator.settings import Settings
from services.generator.worker.ear import Ear
from services.generator.worker.hosted import HostedBackend, Vendor
from services.generator.worker.pace import Pacer
from services.generator.worker.spool import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """What every vendor is spoken to with. `poll_seconds` None is each vendor's own advice."""

    http: httpx.AsyncClient
    downloader: Downloader
    uploader: Uploader
    pacer: Pacer
    ear: Ear
    addresses: CallbackAddresses
    circuits: Circuits
    spool: Spool
    now: Callable[[], datetime]
    poll_seconds: float | None = None
    sweep_seconds: float = 60.0

    def backend(self, provider: str, adapter: Adapter, circuit: str) -> HostedBackend:
        """Return the back end of a provider at the address and with the key of `adapter`.

        `circuit` names who is rested when it fails: a tenant's own bad key must rest nobody else.
        """
        return HostedBackend(
            Vendor(
                provider=provider,
                adapter=adapter,
                client=Client(adapter, self.http, now=self.now),
                downloader=self.downloader,
                uploader=self.uploader,
                pacer=self.pacer,
                ear=self.ear,
                addresses=self.addresses,
                now=self.now,
                circuit=self.circuits.of(circuit),
                spool=self.spool,
                poll_seconds=self.poll_seconds,
                sweep_seconds=self.sweep_seconds,
            )
        )


@asynccontextmanager
async def hosting(settings: Settings, circuits: Circuits) -> AsyncIterator[Hosting]:
    """Open the connections to vendors for as long as the block runs."""
    async with vendor_http() as http, fetching_client(timeout=TIMEOUT) as fetching:
        policy = UrlPolicy(allowed_hosts=settings.result_allowed_hosts)
        limit = settings.result_max_bytes
        yield Hosting(
            http=http,
            downloader=Downloader(fetching, policy, now=clock.now, max_bytes=limit),
            uploader=Uploader(fetching, policy),
            pacer=Pacer(settings.polls_per_second),
            ear=Ear(http, now=clock.now),
            addresses=settings.addresses,
            circuits=circuits,
            spool=Spool(settings.data_dir / "results"),
            now=clock.now,
            poll_seconds=settings.poll_seconds,
            sweep_seconds=settings.webhook_sweep_seconds,
        )
