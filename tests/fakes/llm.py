"""A strict OpenAI-compatible server over real HTTP; each dialect refuses what its original does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

_COMMON = {"model", "messages", "response_format", "temperature"}
_ALLOWED = {
    "openai": _COMMON | {"max_completion_tokens"},
    "deepseek": _COMMON | {"max_tokens", "thinking"},
    "ollama": None,  # drops what it does not know in silence
    "vllm": _COMMON | {"max_tokens", "structured_outputs"},
    "llama_cpp": None,
    "plain_json": _COMMON | {"max_tokens"},
}
KEY = "sk-test-1234567890"

SUNSET = {
    "prompt": "A wide view of a sunset over a calm sea, warm light on the water",
    "language": "en",
    "duration_seconds": None,
    "aspect_ratio": None,
    "style": "documentary",
    "quality": "high",
    "camera_motion": "Slow Push",
    "shot_type": "wide",
    "mood": "peaceful",
    "time_of_day": "sunset",
    "negative_prompt": None,
    "characters": [],
    "landscapes": ["sea"],
}

Answer = dict[str, Any] | str | Callable[[dict[str, Any]], "dict[str, Any] | str"]


@dataclass
class FakeLlm:
    """Answers each question with the next of `answers`, the last one for ever.

    A dict becomes JSON text, a string goes out as it is, a function sees the request first.
    """

    dialect: str = "vllm"
    answers: list[Answer] = field(default_factory=lambda: [dict(SUNSET)])
    finish_reason: str = "stop"
    status: int = 200
    delay: float = 0.0
    garbage: bytes = b""
    endless: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = ""

    async def chat(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.requests.append(body)
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.endless:
            return StreamingResponse(_forever(), media_type="application/json")
        if self.garbage:
            return Response(self.garbage, media_type="application/json")
        refusal = self._refuse(request, body)
        if refusal is not None:
            return refusal
        if self.status != 200:
            return _error(self.status, "it does not work today")
        return self._completion(body)

    def _refuse(self, request: Request, body: dict[str, Any]) -> Response | None:
        key = request.headers.get("authorization")
        if self.dialect in {"openai", "deepseek"} and key != f"Bearer {KEY}":
            return _error(401, "Incorrect API key provided")
        allowed = _ALLOWED[self.dialect]
        unknown = set(body) - allowed if allowed is not None else set()
        if unknown:
            return _error(400, f"Unrecognized request argument supplied: {sorted(unknown)[0]}")
        form = body.get("response_format", {})
        if form.get("type") == "json_schema":
            return self._refuse_schema(form)
        if form.get("type") == "json_object" and "json" not in json.dumps(body["messages"]):
            return _error(400, "Prompt must contain the word 'json'")
        return None

    def _refuse_schema(self, form: dict[str, Any]) -> Response | None:
        if self.dialect in {"deepseek", "plain_json"}:
            return _error(400, "This response_format type is unavailable now")
        if self.dialect == "llama_cpp" and "json_schema" not in form:
            return None  # the flat form is ignored in silence
        inner = form["json_schema"]
        schema = inner["schema"]
        if self.dialect == "openai" and not (inner.get("strict") and _is_strict(schema)):
            return _error(400, "Invalid schema for response_format: strict needs every property")
        return None

    def _completion(self, body: dict[str, Any]) -> Response:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(body)
        text = json.dumps(answer) if isinstance(answer, dict) else answer
        finish = self.finish_reason
        if self.dialect == "deepseek" and body.get("thinking") != {"type": "disabled"}:
            text = ""  # thinking has eaten the tokens
        if self.dialect == "ollama" and "max_tokens" not in body:
            finish, text = "length", text[:10]
        if self.dialect == "llama_cpp" and "json_schema" not in body.get("response_format", {}):
            text = "Sure! Here is your video."
        message = {"role": "assistant", "content": text, "refusal": None}
        whole = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": body["model"],
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            "usage": {"prompt_tokens": 300, "completion_tokens": 100, "total_tokens": 400},
        }
        padding = "\n\n\n" if self.dialect == "deepseek" else ""
        return Response(padding + json.dumps(whole), media_type="application/json")


def _is_strict(schema: Any) -> bool:
    """Whether every object in a schema requires all that it names, and nothing else."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if "properties" in schema and not (
        schema.get("additionalProperties") is False
        and set(schema.get("required", ())) == set(schema["properties"])
    ):
        return False
    return all(map(_is_strict, schema.values()))


async def _forever() -> AsyncIterator[bytes]:
    while True:
        yield b" \n"
        await asyncio.sleep(0.02)


def _error(status: int, message: str) -> JSONResponse:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status_code=status)


@asynccontextmanager
async def serving(fake: FakeLlm) -> AsyncIterator[FakeLlm]:
    """Serves on a free port of the loopback; `base_url` is set while the block runs."""
    app = Starlette(routes=[Route("/v1/chat/completions", fake.chat, methods=["POST"])])
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="critical", ws="none", lifespan="off"
    )
    config.timeout_graceful_shutdown = 0
    server = uvicorn.Server(config)
    server.capture_signals = _no_signals  # type: ignore[method-assign]  # the test owns them
    task = asyncio.create_task(server.serve())
    for _ in range(1000):
        if server.started:
            break
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    fake.base_url = f"http://127.0.0.1:{port}/v1"
    try:
        yield fake
    finally:
        server.should_exit = server.force_exit = True
        await task


def _no_signals() -> Any:
    return nullcontext()
