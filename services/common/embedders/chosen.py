"""The embedder that a deployment has chosen; each is imported only where it is used."""

from collections.abc import Sequence
from typing import Literal, Protocol

from services.common.embedders.settings import EmbeddingSettings


class OpenEmbedder(Protocol):
    """Turns texts into unit vectors; its name tells vectors apart that cannot be compared."""

    name: str

    async def embed(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        """One vector for each text in order, () where it says nothing. Raises Unavailable."""

    async def close(self) -> None:
        """Close what is open."""


def chosen(kind: Literal["local", "endpoint"], settings: EmbeddingSettings) -> OpenEmbedder:
    """The embedder by the service's settings; both need the extra `embeddings`.

    Raises FailedPrecondition where the local model is not the pinned one.
    """
    if kind == "local":
        from services.common.embedders.local import LocalEmbedder  # noqa: PLC0415 - numpy stays out where nobody chose it

        name = f"{settings.service.upper()}_EMBEDDINGS"
        return LocalEmbedder(settings.embeddings_path, settings.embeddings_sha256, setting=name)
    from services.common.embedders.endpoint import EndpointEmbedder  # noqa: PLC0415 - its client is large

    return EndpointEmbedder(
        base_url=settings.embeddings_url,
        api_key=settings.embeddings_api_key.get_secret_value(),
        model=settings.embeddings_model,
        timeout=settings.embeddings_timeout,
    )
