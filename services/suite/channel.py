"""The channel of whoever calls the suite from the command line or from Python."""

from __future__ import annotations

from services.common.channels import Channel
from services.suite.settings import ClientSettings


def channel_to(address: str, api_key: str) -> Channel:
    """Return a channel for ``async with``; what is empty is read from the environment.

    Without an address it leads to the orchestrator, without a key to nobody in particular.
    """
    found = ClientSettings()
    return Channel(address or found.address, api_key=api_key or found.api_key.get_secret_value())
