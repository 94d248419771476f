"""The host of the results: signed addresses that expire, ranges, and files that are not right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from services.suite.simulator.asking import CREDENTIALS
from services.suite.simulator.faults import Fault
from services.suite.simulator.media import MEDIA_TYPES, rendered
from services.suite.simulator.wire import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from services.suite.simulator.jobs import Job
    from services.suite.simulator.vendor import Vendor
    from services.suite.simulator.world import World

PRIVATE = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"
HTML = b"<!doctype html><html><body><h1>Please sign in</h1></body></html>"


async def deliver(world: World, job: Job, index: int, wanted: str) -> Response:
    """Answer with a result, or the part of it that a Range header wants."""
    if job.has(Fault.REDIRECT_PRIVATE):
        return Response(status_code=302, headers={"location": PRIVATE})
    data = await rendered(job.order.clip, f"{job.id}/{index}")
    if job.has(Fault.WRONG_FILE):
        data = HTML
    if job.has(Fault.TRUNCATED_FILE):
        data = data[: len(data) // 2]
    headers = {
        "content-type": MEDIA_TYPES[job.order.clip.kind],
        "accept-ranges": "bytes",
        "etag": f'"{job.id}-{index}"',
    }
    first, status = 0, 200
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
    if found and int(found[1]) < len(data):
        first = int(found[1])
        last = min(int(found[2] or len(data)), len(data) - 1)
        headers["content-range"] = f"bytes {first}-{last}/{len(data)}"
        data, status = data[first : last + 1], 206
    headers["content-length"] = str(len(data))
    cut = len(data) // 2 if job.shows(Fault.CUT_DOWNLOAD) else None
    drip = world.settings.drip_seconds if job.has(Fault.SLOW_DRIP) else 0.0
    return Stream(data, headers, status=status, seconds=drip, until=cut)


def result_route(world: World, vendors: Mapping[str, Vendor]) -> Route:
    """Return the route under which results lie."""

    async def result(request: Request) -> Response:
        leaked = [name for name in CREDENTIALS if name in request.headers]
        if leaked:
            world.leaks.append({"path": request.url.path, "headers": leaked})
            return Response("credentials do not belong here", status_code=400)
        vendor, name = request.path_params["vendor"], request.path_params["job"]
        job = world.job(vendor, name)
        if job is None or not _opens(world, request):
            return Response("<Error><Code>AccessDenied</Code></Error>", 403)
        rotates = vendors[vendor].rotates_links
        if rotates and request.path_params["link"] != job.links:
            return Response("<Error><Code>AccessDenied</Code></Error>", 403)
        index = int(request.path_params["file"].partition(".")[0])
        return await deliver(world, job, index, request.headers.get("range", ""))

    return Route("/media/{vendor}/{job}/{link:int}/{file}", result)


def _opens(world: World, request: Request) -> bool:
    expires = request.query_params.get("expires", "")
    signed = world.sign(request.url.path + expires) == request.query_params.get("signature", "")
    return signed and float(expires) > world.now().timestamp()
