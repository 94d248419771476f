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
    """An `OpenEmbedder`; its name tells the weights apart."""

    def __init__(self, folder: Path, sha256: str, *, setting: str) -> None:
        """Load the weights. Raises FailedPrecondition where they are not the pinned ones.

        `setting` is how errors name it: `<setting>_PATH` and `<setting>_SHA256`.
        """
        weights = folder / _WEIGHTS
        if not weights.is_file():
            raise FailedPrecondition(f"{setting}_PATH: no {_WEIGHTS} in {folder}")
        with weights.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != sha256.lower():
            message = f"{setting}_SHA256 is not that of {weights}, which is {found}"
            raise FailedPrecondition(message)
        self.name = f"model2vec-{found[:16]}"
        self._model: Any = StaticModel.from_pretrained(folder, normalize=True)

    async def embed(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        """See `OpenEmbedder.embed`."""
        vectors = await asyncio.to_thread(self._model.encode, [*texts])
        return [tuple(row) if any(row) else () for row in vectors.astype("float64").tolist()]

    async def close(self) -> None:
        """Nothing is open."""
