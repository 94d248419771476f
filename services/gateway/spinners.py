"""Pictures for who waits: the spinners that friendly answers name, as animated SVG."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response
from starlette.routing import Route

PATH = "/spinners/{name}.svg"
_FOLDER = Path(__file__).with_name("spinner_files")
_HEADERS = {
    "Cache-Control": "public, max-age=86400",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def routes() -> list[Route]:
    """Return one route for each picture; the files are read once, here."""
    return [_route(path) for path in sorted(_FOLDER.glob("*.svg"))]


def _route(file: Path) -> Route:
    content = file.read_bytes()

    async def handle(_request: object) -> Response:
        return Response(content, headers=_HEADERS, media_type="image/svg+xml")

    return Route(PATH.replace("{name}", file.stem), handle, name=file.name)
