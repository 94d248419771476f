"""A version of a film that is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A version of the film that is stored; `shots` maps shot ids to the hashes of their clips.

    `restored` is the version that this one is the same as, 0 for a cut of its own.
    """

    version: int
    asset: str
    sha256: str
    duration_seconds: float
    create_time: datetime
    quality: float | None = None
    findings: tuple[str, ...] = ()
    prompt_match: float | None = None
    not_measured: tuple[str, ...] = ()
    shots: Mapping[str, str] = field(default_factory=dict)
    restored: int = 0
