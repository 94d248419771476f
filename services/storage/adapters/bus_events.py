"""Deletions on the bus: ``reelmesh.events.v1.<tenant>.asset.<id>``, an ``AssetEvent`` each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from reelmesh.storage.v1 import asset_pb2
from services.common.events import Event, event_subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.common.bus import Bus
    from services.storage.domain.events import Deletion

KIND = "asset"


class BusEvents:
    """Connects with the first deletion: storage serves without a bus, and starts without one."""

    def __init__(self, url: str, *, credentials: str = "") -> None:
        self._url = url
        self._credentials = credentials
        self._bus: Bus | None = None

    async def publish(self, deletions: Sequence[Deletion]) -> None:
        """Return once the bus has all of them; raises ``Unavailable``."""
        if self._bus is None:
            from services.common.bus import Bus  # noqa: PLC0415 - 2 MiB where there is no bus

            self._bus = await Bus.connect(
                self._url, source="reelmesh/storage", credentials=self._credentials
            )
        await self._bus.publish_many([_event(each) for each in deletions])

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._bus is not None:
            await self._bus.close()


def _event(deletion: Deletion) -> Event:
    moment = Timestamp()
    moment.FromDatetime(deletion.moment)
    payload = asset_pb2.AssetEvent(
        asset=f"assets/{deletion.asset_id}",
        tenant_name=deletion.tenant,
        event_time=moment,
        asset_deleted=asset_pb2.AssetDeleted(sha256=deletion.sha256),
    )
    subject = event_subject(deletion.tenant, KIND, deletion.asset_id)
    return Event(subject, payload.SerializeToString(), deletion.id)
