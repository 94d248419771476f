"""Delivers callbacks, signed as the vendor signs them, or not quite."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx

from services.suite.simulator import signatures
from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import view
from services.suite.simulator.settings import WEBHOOK_SECRET, WEBHOOK_SEED
from services.suite.simulator.signatures import Signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.suite.simulator.jobs import Job
    from services.suite.simulator.vendor import Vendor
    from services.suite.simulator.world import World

ATTEMPTS = 3
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0
MAX_WAITING = 10_000
FORGED_SEED = bytes(range(1, 33))
FORGED_SECRET = "whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2VkLTAx"  # noqa: S105 - a wrong one
STALE_SECONDS = 3600


class Postman:
    """Waits for the ends of jobs and tells of them."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        """Send with `http`, which the caller closes, after `close`."""
        self._world = world
        self._http = http
        self._waiting: set[asyncio.Task[None]] = set()

    def announce(self, vendor: Vendor, job: Job) -> None:
        """Begin to wait for the end of a job. Where too many wait, this one is not told of."""
        if job.has(Fault.WEBHOOK_MISSING) or len(self._waiting) >= MAX_WAITING:
            return
        task = asyncio.create_task(self._follow(vendor, job))
        self._waiting.add(task)
        task.add_done_callback(self._done)

    async def close(self) -> None:
        """Stop waiting."""
        waiting = list(self._waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._waiting.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._world.deliveries.append({"defect": repr(task.exception())})

    async def _follow(self, vendor: Vendor, job: Job) -> None:
        if vendor.signature is Signature.CHALLENGE and not await self._agreed(job):
            return
        # What it waits for is a time on the world's clock, which may be a test's.
        while not view(job, self._world.now()).over:  # noqa: ASYNC110 - a clock sets no event
            await asyncio.sleep(max(0.02, job.seconds / 10))
        body = vendor.webhook(job, vendor.look(job))
        if body is not None:
            await self._tell(vendor, job, json.dumps(body).encode())

    async def _agreed(self, job: Job) -> bool:
        word = self._world.sign(job.id)
        status, answer = await self._post(job, json.dumps({"challenge": word}).encode(), {})
        return status == 200 and isinstance(answer, dict) and answer.get("challenge") == word

    async def _tell(self, vendor: Vendor, job: Job, raw: bytes) -> None:
        headers = self._signed(vendor, job, raw)
        for attempt in range(ATTEMPTS):
            status, _ = await self._post(job, raw, headers)
            if 200 <= status < 300:
                break
            await asyncio.sleep(PAUSE_SECONDS * 2**attempt / self._world.settings.speed)
        if job.has(Fault.WEBHOOK_REPLAYED):
            await self._post(job, raw, headers)

    def _signed(self, vendor: Vendor, job: Job, raw: bytes) -> Mapping[str, str]:
        stamp = int(self._world.now().timestamp())
        stamp -= STALE_SECONDS if job.has(Fault.WEBHOOK_STALE) else 0
        forged = job.has(Fault.WEBHOOK_FORGED)
        if vendor.signature is Signature.ED25519:
            seed = FORGED_SEED if forged else WEBHOOK_SEED
            return signatures.ed25519(seed, job.id, "sim-user", stamp, raw)
        if vendor.signature is Signature.STANDARD:
            secret = FORGED_SECRET if forged else WEBHOOK_SECRET
            return signatures.standard(secret, f"msg_{job.id}", stamp, raw)
        return {}

    async def _post(self, job: Job, raw: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
        sent = {"content-type": "application/json", **headers}
        try:
            answer = await self._http.post(
                job.order.webhook, content=raw, headers=sent, timeout=TIMEOUT_SECONDS
            )
        except (httpx.HTTPError, httpx.InvalidURL):
            status, told = 0, None
        else:
            status, told = answer.status_code, _json(answer)
        self._world.deliveries.append(
            {
                "vendor": job.vendor,
                "job_id": job.id,
                "url": job.order.webhook,
                "status": status,
                "time": self._world.now().isoformat(),
            }
        )
        return status, told


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
