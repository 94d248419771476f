"""How OpenAI-compatible servers differ in what they take for structured output."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Dialect:
    """What one family of servers understands."""

    name: str
    json_schema: bool = True
    """False: only `json_object`; the schema then stands in the instructions."""
    length_field: str = "max_tokens"
    temperature: float | None = 0.0
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def response_format(self, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The `response_format` of a request; llama.cpp ignores the flat form, so it is nested."""
        if not self.json_schema:
            return {"type": "json_object"}
        return {
            "type": "json_schema",
            "json_schema": {"name": name, "schema": dict(schema), "strict": True},
        }


# Reasoning models refuse `max_tokens` and any temperature of one's own.
OPENAI = Dialect("openai", length_field="max_completion_tokens", temperature=None)
# Answers json_schema with 400, and thinks by default, which eats the token limit.
DEEPSEEK = Dialect("deepseek", json_schema=False, extra_body={"thinking": {"type": "disabled"}})
# Ollama drops `max_completion_tokens` in silence and takes a missing temperature as 1.0.
OLLAMA = Dialect("ollama")
VLLM = Dialect("vllm")
LLAMA_CPP = Dialect("llama_cpp")
PLAIN_JSON = Dialect("plain_json", json_schema=False)
DIALECTS = {d.name: d for d in (OPENAI, DEEPSEEK, OLLAMA, VLLM, LLAMA_CPP, PLAIN_JSON)}

_HOSTS = {"api.openai.com": OPENAI, "api.deepseek.com": DEEPSEEK}
_PORTS = {11434: OLLAMA, 8080: LLAMA_CPP}


def dialect_of(base_url: str) -> Dialect:
    """The dialect that an address is known for; vLLM's, the plainest, for the others."""
    parts = urlsplit(base_url)
    return _HOSTS.get(parts.hostname or "") or _PORTS.get(parts.port or 0, VLLM)
