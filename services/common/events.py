"""What goes over the bus: an event, the subject it is published on, its CloudEvents headers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.common.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nats.aio.msg import Msg

EVENTS_STREAM = "REELMESH_EVENTS"
EVENTS_PREFIX = "reelmesh.events.v1."
WORK_STREAM = "REELMESH_WORK"
WORK_PREFIX = "reelmesh.work.v1."
RESULTS_STREAM = "REELMESH_RESULTS"
RESULTS_PREFIX = "reelmesh.results.v1."
DEAD_STREAM = "REELMESH_DEAD"
DEAD_PREFIX = "reelmesh.dead.v1."

_STREAMS = {
    EVENTS_PREFIX: EVENTS_STREAM,
    WORK_PREFIX: WORK_STREAM,
    RESULTS_PREFIX: RESULTS_STREAM,
    DEAD_PREFIX: DEAD_STREAM,
}
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_EPOCH = datetime.fromtimestamp(0, UTC)


def stream_of(subject: str) -> str:
    """Return the stream that takes ``subject``; raises ``InvalidArgument`` when none does."""
    for prefix, stream in _STREAMS.items():
        if subject.startswith(prefix):
            return stream
    raise InvalidArgument("subject", f"{subject!r} is in no stream", allowed=_STREAMS)


def subject_token(text: str) -> str:
    """Return ``text`` as one token of a subject.

    Letters, digits, ``_`` and ``-`` stay; anything else becomes ``=XX`` per byte. No two texts
    share a token, so that a tenant's name can never reach into another tenant's subjects.
    """
    return _UNSAFE.sub(lambda m: "".join(f"={byte:02X}" for byte in m[0].encode()), text) or "="


def event_subject(tenant: str, kind: str, resource: str) -> str:
    """Return ``reelmesh.events.v1.<tenant>.<kind>.<id>``; ``*`` and ``>`` are kept as wildcards."""
    tokens = (
        part if part in {"*", ">"} else subject_token(part) for part in (tenant, kind, resource)
    )
    return EVENTS_PREFIX + ".".join(tokens)


def work_subject(engine: str, tier: str) -> str:
    """Return ``reelmesh.work.v1.<engine>.<vram tier>``."""
    return f"{WORK_PREFIX}{subject_token(engine)}.{subject_token(tier)}"


def result_subject(work: str) -> str:
    """Return ``reelmesh.results.v1.<id of the work>``."""
    return f"{RESULTS_PREFIX}{subject_token(work)}"


@dataclass(frozen=True, slots=True)
class Event:
    """A message of the bus.

    Attributes:
        subject: where it was published.
        data: the payload.
        event_id: unique id; the bus keeps the first of two messages with the same one.
        sequence: position in the stream, growing; 0 before it was published.
        time: when the stream took it.
        headers: every header, CloudEvents' among them.
        delivery: how often this subscription has been given it, from 1.
    """

    subject: str
    data: bytes
    event_id: str
    sequence: int = 0
    time: datetime = _EPOCH
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: int = 1

    @property
    def type(self) -> str:
        """CloudEvents type."""
        return self.headers.get("ce-type", "")

    @classmethod
    def from_message(cls, message: Msg) -> Event:
        """Return the event that JetStream delivered as ``message``."""
        metadata = message.metadata
        headers = dict(message.headers or {})
        return cls(
            subject=message.subject,
            data=message.data,
            event_id=headers.get("ce-id") or headers.get("Nats-Msg-Id", ""),
            sequence=metadata.sequence.stream,
            time=metadata.timestamp,
            headers=headers,
            delivery=metadata.num_delivered or 1,
        )


def event_headers(event: Event, *, source: str, time: datetime) -> dict[str, str]:
    """Return all headers of a new event: deduplication, CloudEvents 1.0 in binary mode, its own."""
    return {
        "Nats-Msg-Id": event.event_id,
        "ce-specversion": "1.0",
        "ce-id": event.event_id,
        "ce-source": source,
        "ce-type": _type_of(event.subject),
        "ce-time": time.isoformat().replace("+00:00", "Z"),
        "content-type": "application/protobuf",
        **event.headers,
    }


def _type_of(subject: str) -> str:
    tokens = subject.split(".")
    kind = tokens[4] if subject.startswith(EVENTS_PREFIX) and len(tokens) > 4 else "message"
    return f"reelmesh.{kind}.v1"
