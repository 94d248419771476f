"""A hub of models that speaks Hugging Face's protocol, as far as pulling a snapshot needs it."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.common.http_server import serve_http

FIRST = "a" * 40
SECOND = "b" * 40


class Hub:
    """Repositories by name, with files by commit; `damaged` files come with other bytes.

    Safetensors are large files, whose SHA-256 it tells. `gated` repositories want a token.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, Mapping[str, bytes]]] = {}
        self.heads: dict[str, str] = {}
        self.gated: set[str] = set()
        self.damaged: set[str] = set()
        self.fetched: list[str] = []
        self.url = ""

    def publish(self, name: str, files: Mapping[str, bytes], commit: str = FIRST) -> None:
        self.repositories.setdefault(name, {})[commit] = files
        self.heads[name] = commit

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Hub"]:
        routes = [
            Route("/api/models/{owner}/{name}/revision/{revision}", self._info),
            Route("/api/models/{owner}/{name}/tree/{revision}", self._tree),
            Route("/{owner}/{name}/resolve/{revision}/{path:path}", self._file, methods=["GET"]),
        ]
        async with serve_http(Starlette(routes=routes), "127.0.0.1:0", grace=0.2) as address:
            self.url = f"http://{address}"
            yield self

    def _found(self, request: Request) -> tuple[str, Mapping[str, bytes]] | Response:
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        revision = request.path_params["revision"]
        commits = self.repositories.get(name)
        if commits is None:
            return _refused(404, "RepoNotFound")
        if name in self.gated and request.headers.get("authorization") != "Bearer hf_good":
            return _refused(403, "GatedRepo")
        commit = self.heads[name] if revision == "main" else revision
        if commit not in commits:
            return _refused(404, "RevisionNotFound")
        return commit, commits[commit]

    async def _info(self, request: Request) -> Response:
        found = self._found(request)
        if isinstance(found, Response):
            return found
        commit, files = found
        siblings = [_sibling(path, data) for path, data in files.items()]
        return JSONResponse({"id": "x", "sha": commit, "siblings": siblings})

    async def _tree(self, request: Request) -> Response:
        found = self._found(request)
        if isinstance(found, Response):
            return found
        _, files = found
        entries = [
            {"type": "file", "path": path, "size": len(data), "oid": _git(data)}
            for path, data in files.items()
        ]
        return JSONResponse(entries)

    async def _file(self, request: Request) -> Response:
        found = self._found(request)
        if isinstance(found, Response):
            return found
        commit, files = found
        path = request.path_params["path"]
        data = files[path]
        large = path.endswith(".safetensors")
        etag = hashlib.sha256(data).hexdigest() if large else _git(data)
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit}
        if request.method == "GET":
            self.fetched.append(path)
        sent = data[:-1] + b"?" if path in self.damaged else data
        return Response(sent, headers=headers, media_type="application/octet-stream")


def _sibling(path: str, data: bytes) -> dict[str, object]:
    found: dict[str, object] = {"rfilename": path, "size": len(data), "blobId": _git(data)}
    if path.endswith(".safetensors"):
        digest = hashlib.sha256(data).hexdigest()
        found["lfs"] = {"sha256": digest, "size": len(data), "pointerSize": 130}
    return found


def _git(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _refused(status: int, code: str) -> Response:
    return JSONResponse({"error": code}, status_code=status, headers={"X-Error-Code": code})
