"""Looks whether vendors can be reached, by a connection that is opened, closed and asks nothing."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from services.common.background import rounds
from services.common.telemetry import get_logger
from services.generator.domain.reachability import Reachability

log = get_logger(__name__)
PATIENCE_SECONDS = 1.0
# A network that is away lets name look-ups hang: they have threads of their own.
_LOOK_UPS = 4


class Network:
    """Keeps a `Reachability` true, a round every so many seconds."""

    def __init__(self, known: Reachability, *, every: float) -> None:
        """Look in rounds of `every` seconds."""
        self._known = known
        self._every = every
        self._threads = ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="reachability")
        self._looks: dict[str, asyncio.Task[bool]] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            await rounds(self.look, self._every, failed="network_not_looked_at")
        finally:
            for task in self._looks.values():
                task.cancel()
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def look(self) -> None:
        """One round, and one more over everything when somebody has fallen silent."""
        before = self._known.unreachable
        if self._known.heard(await self._round()):
            self._known.heard(await self._round())
        after = self._known.unreachable
        if after != before:
            log.warning("vendors_reachable", unreachable=sorted(after), back=sorted(before - after))

    async def _round(self) -> dict[str, bool]:
        looks = {address: self._begun(address) for address in self._known.due()}
        if looks:
            await asyncio.wait(looks.values(), timeout=PATIENCE_SECONDS)
        return {address: look.done() and look.result() for address, look in looks.items()}

    def _begun(self, address: str) -> asyncio.Task[bool]:
        """The look that is still under way, or a new one: never two at one address."""
        present = self._looks.get(address)
        if present is None or present.done():
            present = self._looks[address] = asyncio.create_task(self._answers(address))
        return present

    async def _answers(self, address: str) -> bool:
        host, _, port = address.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _resolved, host, int(port))
        except OSError:
            return False
        for numeric, number in found:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    _, writer = await asyncio.open_connection(numeric, number)
            except OSError:  # a TimeoutError, too
                continue
            writer.transport.abort()
            return True
        return False


def _resolved(host: str, port: int) -> list[tuple[str, int]]:
    """Addresses of a host, of both families: one of them may lead nowhere."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(str(place[0]), int(place[1])) for *_, place in found]
