"""Meaning as vectors: what is compared, how two rankings become one, and who keeps them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from operator import mul
from typing import TYPE_CHECKING, Protocol

from services.storage.domain.meaning import about

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from services.storage.domain.assets import Asset
    from services.storage.domain.facets import Facets

    Vector = Sequence[float]

# What any model reads; of a longer text the beginning says what it is about.
MAX_TEXT = 4000
# How much the likeness of vectors counts beside the share of the question's words.
NEARNESS = 0.7


class Embedder(Protocol):
    """Turns texts into unit vectors; its name tells vectors apart that cannot be compared."""

    name: str

    async def embed(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        """Return a vector for each text in order, () where it says nothing.

        Raises ``Unavailable``, with ``retry_after`` where nothing else would be read either, and
        ``InvalidArgument`` where a text is refused for what it is.
        """


@dataclass(frozen=True, slots=True)
class Waiting:
    """An asset that waits for its vector, and which try of giving it one this is."""

    asset_id: str
    tenant: str
    number: int


class Vectors(Protocol):
    """Keeps the vectors of STORED assets. Every method is one transaction."""

    async def take(
        self, moment: datetime, until: datetime, limit: int, *, again: bool
    ) -> Sequence[Waiting]:
        """Take up to ``limit`` assets that wait, off other replicas until then; counts a try.

        ``again`` takes those that were tried before, else those that never were.
        """

    async def keep(
        self, found: Mapping[str, Vector], embedder: str, *, taken_until: datetime
    ) -> None:
        """Keep vectors by asset, an empty one as none, where the asset is still ours and there."""

    async def put_back(
        self, found: Iterable[str], until: datetime, *, counted: bool, taken_until: datetime
    ) -> None:
        """Let the assets wait until then; a try that is not ``counted`` is taken back."""

    async def forget(self, found: Iterable[str]) -> None:
        """Wait no longer for assets that are not there."""

    async def catch_up(self, embedder: str, limit: int, *, taken_by: datetime) -> int:
        """Let up to ``limit`` assets wait that this embedder has not read; returns how many.

        Those stay as they are that another has read who took them until later than ``taken_by``.
        Vectors of assets that are not there (any more) go, and count.
        """

    async def nearest(self, question: Question, facets: Facets, limit: int) -> Sequence[str]:
        """Return about the nearest assets that have the facets, nearest first."""

    async def cosines(self, question: Question, found: Iterable[str]) -> Mapping[str, float]:
        """Return how near each of the assets is that has a vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is searched for, and among which vectors: those of others are never compared."""

    tenant: str
    embedder: str
    vector: Vector


def text_of(asset: Asset) -> str:
    """Return what an embedder reads of an asset."""
    return about(asset.description)[:MAX_TEXT]


def signs(vector: Vector) -> bytes:
    """Return a bit for each number, set where it is positive, padded with zeros to whole bytes.

    The fewer bits of two vectors differ, the smaller is the angle between them, about: enough to
    choose whose vectors are compared (Yamada, Asai, Hajishirzi, "Efficient Passage Retrieval with
    Hashing for Open-domain Question Answering", ACL 2021).
    """
    width = -(-len(vector) // 8) * 8
    bits = "".join("1" if number > 0 else "0" for number in vector).ljust(width, "0")
    return int(bits, 2).to_bytes(width // 8, "big")


def packed(vector: Vector) -> bytes:
    """Return the numbers in single precision."""
    return array("f", vector).tobytes()


def cosine(one: Vector, kept: bytes) -> float:
    """Return the cosine of two unit vectors of one length."""
    other = array("f")
    other.frombytes(kept)
    return float(sum(map(mul, one, other)))


def merged(words: Mapping[str, float], near: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return assets with scores from 0 to 1, best first and newest first among equals.

    ``words`` is the share of the question that an asset says, ``near`` the cosine with it. A
    weighted mean of the two and not of their ranks: on one list of hits an asset that shares a
    chance word would come close to the one that says it all, and a score could not be held against
    a bound. See Bruch, Gai, Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (ACM
    TOIS 42(1), 2023), which compares both. What has no vector is judged by its words alone.
    """
    scores = dict(words)
    for asset, likeness in near.items():
        nearness = max(0.0, min(1.0, likeness))
        scores[asset] = NEARNESS * nearness + (1 - NEARNESS) * words.get(asset, 0.0)
    ranked = sorted(scores.items(), key=lambda hit: (hit[1], hit[0]), reverse=True)
    return [(asset, score) for asset, score in ranked if score > 0]
