"""A real nats-server with JetStream: the one that the embedded suite spawns."""

import asyncio
import shutil
import tempfile
import weakref
from pathlib import Path

from services.common.nats_server import NatsServer


class Nats:
    """Starts on free ports; may be killed and started again with its streams."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="reelmesh-nats-"))
        weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)
        self._server = NatsServer(self.directory)
        # A loop of its own, in this thread: the server dies with the thread that spawns it.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._server.start())
        finally:
            loop.close()

    @property
    def url(self) -> str:
        """nats://127.0.0.1:port."""
        return self._server.url

    @property
    def pid(self) -> int:
        """The server's process id; 0 when it does not run."""
        return self._server.pid

    def kill(self) -> None:
        """`kill -9`; streams stay on disk."""
        self._server.kill()

    async def restart(self) -> None:
        """`kill -9`, then start on the same port with the same streams."""
        self._server.kill()
        await self._server.start()

    def close(self) -> None:
        """End the server and forget its streams."""
        self._server.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
