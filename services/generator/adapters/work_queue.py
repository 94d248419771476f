"""The work queue of GPU nodes on JetStream, and what became of the work.

A piece of work is one message on a subject of its own, ``work.v1.<engine>.<tier>.<priority>.<id>``,
from when it is put until its worker acknowledges it; its verdict is one message on
``results.v1.<id>``, the first and only one. Both may be lost with the stream: whoever ordered the
work then finds neither, and puts it again. How far it is, and the wish to stop, go over core NATS.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import nats.js.errors
from nats.aio.msg import Msg
from nats.js import api

from services.common.bus import Bus
from services.common.errors import Unavailable, UnknownOutcome
from services.common.events import (
    RESULTS_STREAM,
    WORK_STREAM,
    result_subject,
    subject_token,
)
from services.common.nats_client import confirmed
from services.common.telemetry import get_logger
from services.generator.adapters.news import News
from services.generator.adapters.work_places import ensure_consumer, place
from services.generator.domain.gpu_work import (
    Queue,
    Verdict,
    WorkOrder,
    order_to_record,
    verdict_from_record,
)
from services.generator.domain.records import to_record

SIGNALS = "reelmesh.gpu.v1"
_NOT_FIRST = 10071  # JetStream's code for "wrong last sequence"

log = get_logger(__name__)


def signal_subject(kind: str, name: str) -> str:
    """Return the core NATS subject of `progress`, `stop` or `worker` signals."""
    return f"{SIGNALS}.{kind}.{name if name == '*' else subject_token(name)}"


class WorkQueue:
    """Puts work, withdraws it, and knows its verdict. `bus` has the streams."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def put(self, queue: Queue, order: WorkOrder) -> None:
        """Put work unless it waits, or is being worked on, already.

        Raises Unavailable when it provably was not put, UnknownOutcome when nobody confirmed.
        """
        if not self._bus.connected:
            raise Unavailable("the event bus is away", metadata={"delivered": "no"})
        try:
            with confirmed():
                await self._bus.ensure_streams()
                await ensure_consumer(self._bus.js, queue)
            await self._first(place(queue, order.id), order_to_record(order), order.id)
        except Unavailable as error:
            raise UnknownOutcome(f"the work queue did not confirm: {error.message}") from error

    async def waits(self, queue: Queue, work: str) -> bool:
        """Tell whether the work is in its queue, taken or not. Raises Unavailable."""
        return await self._last(WORK_STREAM, place(queue, work)) is not None

    async def verdict(self, work: str) -> Verdict | None:
        """Return what became of it, None where that is not known. Raises Unavailable."""
        found = await self._last(RESULTS_STREAM, result_subject(work))
        return None if found is None else _verdict(found)

    async def conclude(self, work: str, verdict: Verdict) -> bool:
        """Give the verdict; False where there is one already. Raises Unavailable."""
        return await self._first(result_subject(work), to_record(verdict), f"{work}/verdict")

    async def withdraw(self, queue: Queue, work: str, verdict: Verdict) -> bool:
        """End work with this verdict, wherever it is; False where it has another already."""
        first = await self.conclude(work, verdict)
        await self._remove(place(queue, work))
        await self.signal("stop", work, {})
        return first

    async def signal(self, kind: str, name: str, facts: Mapping[str, Any]) -> None:
        """Tell whoever listens; nobody is waited for, and a signal may be lost."""
        if self._bus.connected:
            with confirmed():
                subject = signal_subject(kind, name)
                await self._bus.client.publish(subject, json.dumps(facts).encode())

    @asynccontextmanager
    async def hearing(self, work: str) -> AsyncIterator[News]:
        """Hear how far the work is (percent) and that there is a verdict, while the block runs."""
        news = News()

        async def progress(message: Msg) -> None:
            news.tell(int(json.loads(message.data).get("percent", 0)))

        async def concluded(_: Msg) -> None:
            news.wake()

        async with (
            self.listening(signal_subject("progress", work), progress),
            self.listening(result_subject(work), concluded),
        ):
            yield news

    @asynccontextmanager
    async def listening(self, subject: str, heard: Any) -> AsyncIterator[None]:
        """Call `heard` with each message of a subject while the block runs."""
        with confirmed():
            subscription = await self._bus.client.subscribe(subject, cb=_guarded(heard))
        try:
            yield
        finally:
            if not self._bus.client.is_closed:
                with confirmed():
                    await subscription.unsubscribe()

    async def _first(self, subject: str, record: Mapping[str, Any], message_id: str) -> bool:
        """Publish the only message of a subject; False where it has one."""
        headers = {
            "Nats-Msg-Id": message_id,
            "Nats-Expected-Last-Subject-Sequence": "0",
            "content-type": "application/json",
        }
        data = json.dumps(record).encode()
        try:
            with confirmed(but=nats.js.errors.APIError):
                ack = await self._published(subject, data, headers)
        except nats.js.errors.APIError as error:
            if error.err_code == _NOT_FIRST:
                return False
            raise Unavailable(f"the event bus refused: {error.description}") from error
        return not ack.duplicate

    async def _published(self, subject: str, data: bytes, headers: dict[str, str]) -> api.PubAck:
        publish = self._bus.js.publish
        try:
            return await publish(subject, data, headers=headers)
        except nats.js.errors.NoStreamResponseError:
            await self._bus.ensure_streams()
        return await publish(subject, data, headers=headers)

    async def _last(self, stream: str, subject: str) -> bytes | None:
        if not self._bus.connected:
            raise Unavailable("the event bus is away")
        with confirmed():
            try:
                found = await self._bus.js.get_last_msg(stream, subject)
            except nats.js.errors.NotFoundError:
                return None
        return found.data or b"{}"

    async def _remove(self, subject: str) -> None:
        with confirmed():
            try:
                found = await self._bus.js.get_last_msg(WORK_STREAM, subject)
                await self._bus.js.delete_msg(WORK_STREAM, found.seq or 0)
            except nats.js.errors.NotFoundError:
                return


def _verdict(data: bytes) -> Verdict | None:
    try:
        return verdict_from_record(json.loads(data))
    except Exception:
        log.exception("verdict_unreadable")
        return None


def _guarded(heard: Any) -> Any:
    async def call(message: Msg) -> None:
        try:
            await heard(message)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("signal_unreadable", subject=message.subject, error=str(error))

    return call
