"""What is configurable where a service may compare texts by a model."""

from pathlib import Path

from pydantic import Field, SecretStr

from services.common.settings import ServiceSettings


class EmbeddingSettings(ServiceSettings):
    """Where the model or the endpoint is; a service adds ``embeddings``, which chooses."""

    embeddings_path: Path = Path("embeddings")
    """Folder of the local Model2Vec model; nothing is ever fetched."""
    embeddings_sha256: str = ""
    """SHA-256 of its model.safetensors, lower-case hexadecimal: other weights are refused."""
    embeddings_url: str = "https://api.openai.com/v1"
    """OpenAI-compatible endpoint."""
    embeddings_model: str = "text-embedding-3-small"
    """Id of the endpoint's model."""
    embeddings_api_key: SecretStr = SecretStr("")
    """Key of the endpoint."""
    embeddings_timeout: float = Field(5.0, gt=0, le=60)
    """Seconds for one request to the endpoint."""
