"""Every vendor that the generator can ask. A new one is one file, one import and one field here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Final, get_args, get_type_hints

from pydantic import SecretStr

from services.generator.providers.adapter import Adapter
from services.generator.providers.elevenlabs import ElevenLabs
from services.generator.providers.fal import Fal
from services.generator.providers.google import Google
from services.generator.providers.huggingface import HuggingFace
from services.generator.providers.kling import Kling
from services.generator.providers.kling_legacy import KlingLegacy
from services.generator.providers.luma import Luma
from services.generator.providers.luma_dream import LumaDream
from services.generator.providers.minimax import MiniMax
from services.generator.providers.minimax_v2 import MiniMaxV2
from services.generator.providers.openai_images import OpenAIImages
from services.generator.providers.openai_speech import OpenAISpeech
from services.generator.providers.openai_videos import OpenAIVideos
from services.generator.providers.replicate import Replicate
from services.generator.providers.runpod import RunPod
from services.generator.providers.runway import Runway
from services.generator.providers.stability import Stability
from services.generator.providers.vertex import Vertex


@dataclass(frozen=True, slots=True)
class Setup:
    """How a provider is read from the environment.

    `prefixes` are tried in turn, its own name when there are none; one of `needs` must be set;
    `preset` holds what a server of a common kind does in its own way.
    """

    prefixes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ("api_key",)
    preset: Mapping[str, object] = field(default_factory=dict)


_OWN_SERVER = Setup(needs=("base_url",))
SETUPS: Final = {
    "pika": Setup(("PIKA_", "FAL_")),
    "huggingface": Setup(("HF_",)),
    "vertex": Setup(needs=("access_token", "service_account")),
    "openai": Setup(preset={"base_url": "https://api.openai.com", "multiple": 2}),
    "openai_images": Setup(("OPENAI_",)),
    "openai_speech": Setup(("OPENAI_",)),
    "azure": Setup(("AZURE_OPENAI_",), preset={"key_header": "api-key", "multiple": 2}),
    "vllm_omni": Setup(needs=("base_url",), preset={"json_reference": True}),
    "sglang": _OWN_SERVER,
    "fastvideo": _OWN_SERVER,
    "minimax_v2": Setup(("MINIMAX_",)),
    "kling_legacy": Setup(("KLING_",), needs=("secret_key", "api_key")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """The vendors that are set up here; None where one is not."""

    runway: Runway | None = None
    pika: Fal | None = None
    fal: Fal | None = None
    stability: Stability | None = None
    luma: Luma | None = None
    luma_dream: LumaDream | None = None
    google: Google | None = None
    vertex: Vertex | None = None
    openai: OpenAIVideos | None = None
    openai_images: OpenAIImages | None = None
    openai_speech: OpenAISpeech | None = None
    azure: OpenAIVideos | None = None
    vllm_omni: OpenAIVideos | None = None
    sglang: OpenAIVideos | None = None
    fastvideo: OpenAIVideos | None = None
    litellm: OpenAIVideos | None = None
    minimax: MiniMax | None = None
    minimax_v2: MiniMaxV2 | None = None
    kling: Kling | None = None
    kling_legacy: KlingLegacy | None = None
    replicate: Replicate | None = None
    huggingface: HuggingFace | None = None
    runpod: RunPod | None = None
    elevenlabs: ElevenLabs | None = None

    def get(self, provider: str) -> Adapter | None:
        """Return the adapter of a provider, None where it is unknown or not set up."""
        return dict(self).get(provider)

    def __iter__(self) -> Iterator[tuple[str, Adapter]]:
        """Yield the name and the adapter of every vendor that is set up."""
        for row in fields(self):
            adapter = getattr(self, row.name)
            if adapter is not None:
                yield row.name, adapter


@cache
def adapters() -> Mapping[str, type[Adapter]]:
    """Return the class behind every provider's name."""
    hints = get_type_hints(Providers)
    return {row.name: get_args(hints[row.name])[0] for row in fields(Providers)}


def configured(environment: Mapping[str, str]) -> Providers:
    """Return the providers whose variables are set in `environment`.

    A variable is the provider's prefix and the field's name: RUNWAY_API_KEY, RUNWAY_BASE_URL.
    Raises ValueError naming the field whose value does not fit.
    """
    built: dict[str, Any] = {name: _built(name, environment) for name in adapters()}
    return Providers(**built)


def variables(provider: str) -> tuple[str, ...]:
    """Return the environment variables that a provider reads."""
    names = adapters()[provider].model_fields
    return tuple(f"{prefix}{name.upper()}" for prefix in _prefixes(provider) for name in names)


def vendors_of(provider: str) -> tuple[str, ...]:
    """Return the vendors, such as "fal", whose keys a provider is used with; the first counts."""
    return tuple(prefix.rstrip("_").lower() for prefix in _prefixes(provider))


@cache
def secrets() -> Mapping[str, tuple[str, ...]]:
    """Return the names of the secrets that belong to each vendor's key."""
    found: dict[str, set[str]] = {}
    for provider in adapters():
        for vendor in vendors_of(provider):
            found.setdefault(vendor, set()).update(_secrets(provider))
    return {vendor: tuple(sorted(names)) for vendor, names in found.items()}


def with_keys(
    environment: Mapping[str, str], own: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Return the environment with somebody's own secrets, by vendor, instead of the operator's.

    Addresses stay the operator's. No secret of the operator's is left beside one's own.
    """
    replaced = set()
    for provider in adapters():
        if not own.keys().isdisjoint(vendors_of(provider)):
            replaced |= {f"{p}{n.upper()}" for p in _prefixes(provider) for n in _secrets(provider)}
    kept = {name: value for name, value in environment.items() if name not in replaced}
    return kept | {
        f"{vendor}_{name}".upper(): value
        for vendor, values in own.items()
        for name, value in values.items()
    }


def adapter_of(provider: str, environment: Mapping[str, str]) -> Adapter | None:
    """Return the adapter of one provider as `environment` sets it up, None where it does not."""
    return _built(provider, environment) if provider in adapters() else None


def _secrets(provider: str) -> frozenset[str]:
    fields = adapters()[provider].model_fields
    return frozenset(name for name, info in fields.items() if info.annotation is SecretStr)


def _prefixes(provider: str) -> tuple[str, ...]:
    return SETUPS.get(provider, Setup()).prefixes or (f"{provider.upper()}_",)


def _built(provider: str, environment: Mapping[str, str]) -> Adapter | None:
    kind, setup = adapters()[provider], SETUPS.get(provider, Setup())
    required = {name for name, info in kind.model_fields.items() if info.is_required()}
    for prefix in _prefixes(provider):
        values = {name: environment.get(f"{prefix}{name.upper()}") for name in kind.model_fields}
        given = {name: value for name, value in values.items() if value}
        known = {**setup.preset, **given}
        if required <= known.keys() and not given.keys().isdisjoint(setup.needs):
            return kind.model_validate(known)
    return None
