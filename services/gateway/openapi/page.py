"""Serves the document and the page that shows it; nothing comes from elsewhere."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response
from starlette.routing import Route

from services.gateway.domain.endpoints import API_PREFIX

_FOLDER = Path(__file__).parent
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {
    "/openapi.json": ("openapi.json", "application/json"),
    "/docs": ("docs.html", "text/html"),
    "/docs/docs.js": ("docs.js", "text/javascript"),
    "/docs/docs.css": ("docs.css", "text/css"),
}


def routes() -> list[Route]:
    """Return one route per file; the files are read once, here."""
    return [_route(path, *found) for path, found in _FILES.items()]


def _route(path: str, file_name: str, media_type: str) -> Route:
    content = (_FOLDER / file_name).read_bytes()

    async def handle(_request: object) -> Response:
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
        return Response(content, headers=headers, media_type=media_type)

    return Route(API_PREFIX + path, handle, name=file_name)
