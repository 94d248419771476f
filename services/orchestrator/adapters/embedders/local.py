"""Vectors from a small static model in this process: Model2Vec, distilled word vectors.

A folder holds `model.safetensors`, `tokenizer.json` and `config.json`, as `StaticModel` saves them,
such as minishlab/potion-multilingual-128M. Nothing is fetched. See https://github.com/MinishLab/model2vec.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model2vec import StaticModel

from services.common.errors import FailedPrecondition

_WEIGHTS = "model.safetensors"


class LocalEmbedder:
    """`domain.cache.entries.Embedder`; its name tells the weights apart."""

    def __init__(self, folder: Path, sha256: str) -> None:
        """Load the weights. Raises FailedPrecondition where they are not the pinned ones."""
        weights = folder / _WEIGHTS
        if not weights.is_file():
            raise FailedPrecondition(f"ORCHESTRATOR_EMBEDDINGS_PATH: no {_WEIGHTS} in {folder}")
        with weights.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != sha256.lower():
            message = f"ORCHESTRATOR_EMBEDDINGS_SHA256 is not that of {weights}, which is {found}"
            raise FailedPrecondition(message)
        self.name = f"model2vec-{found[:16]}"
        self._model: Any = StaticModel.from_pretrained(folder, normalize=True)

    async def embed(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        """See `Embedder.embed`."""
        vectors = await asyncio.to_thread(self._model.encode, [*texts])
        return [tuple(row) if any(row) else () for row in vectors.astype("float64").tolist()]
