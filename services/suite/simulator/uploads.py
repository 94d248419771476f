"""Where pictures are put that are too big for a request: a place is asked for, then filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from services.suite.simulator.asking import CREDENTIALS
from services.suite.simulator.wire import form_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from services.suite.simulator.world import World


def place(world: World) -> tuple[str, str, str]:
    """Return a new place's name, its address, and the policy that opens it, once."""
    name = world.new_uuid().hex
    return name, f"{world.media_url}/uploads/{name}", world.sign(name)


def upload_route(world: World) -> Route:
    """Return the route under which places are filled: by a form with its policy, or by a PUT."""

    async def fill(request: Request) -> Response:
        leaked = [name for name in CREDENTIALS if name in request.headers]
        if leaked:
            world.leaks.append({"path": request.url.path, "headers": leaked})
            return Response("credentials do not belong here", status_code=400)
        name, raw = request.path_params["name"], await request.body()
        policy, picture = request.query_params.get("policy", ""), raw
        if request.method == "POST":
            values, files = form_of(request.headers.get("content-type", ""), raw)
            policy, picture = values.get("policy", ""), files.get("file", b"")
        if policy != world.sign(name) or name in world.pictures:
            return Response("<Error><Code>AccessDenied</Code></Error>", 403)
        if not picture:
            return Response("<Error><Code>EntityTooSmall</Code></Error>", 400)
        world.keep_picture(name, picture)
        return Response(status_code=204 if request.method == "POST" else 200)

    return Route("/uploads/{name}", fill, methods=["POST", "PUT"])
