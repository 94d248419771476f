"""The services as real processes, for tests that kill, restart and flood them."""

from tests.stack.client import Client, Watcher
from tests.stack.evidence import Evidence
from tests.stack.process import Service
from tests.stack.stack import SIGNING_KEY, Stack

__all__ = ["SIGNING_KEY", "Client", "Evidence", "Service", "Stack", "Watcher"]
