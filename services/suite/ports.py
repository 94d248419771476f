"""Which address each service of the suite listens on."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

from services.common.errors import FailedPrecondition
from services.suite.settings import DEFAULT_PORTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def choose(host: str, base: int | None) -> dict[str, str]:
    """Return ``host:port`` by service: the usual ports, five in a row from ``base``, or free ones.

    Raises ``FailedPrecondition`` that names a port that is taken and says what to do.
    """
    if base == 0:
        return _free(host)
    numbers = DEFAULT_PORTS
    if base is not None:
        numbers = {name: base + offset for offset, name in enumerate(DEFAULT_PORTS)}
    for name, port in numbers.items():
        with _listener(host) as probe:
            try:
                probe.bind((host, port))
            except OSError as error:
                raise FailedPrecondition(
                    f"{name} cannot listen on {_join(host, port)}: {error.strerror}. Is a suite "
                    "running already? Choose other ports with --port-base 51000, or 0 for free ones"
                ) from error
    return {name: _join(host, port) for name, port in numbers.items()}


def write(path: Path, addresses: Mapping[str, str]) -> None:
    """Write the addresses as JSON, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(addresses) + "\n", encoding="utf-8")
    temporary.replace(path)


def _free(host: str) -> dict[str, str]:
    # All are held at once, so that no two services get the same one.
    probes = {name: _listener(host) for name in DEFAULT_PORTS}
    try:
        for probe in probes.values():
            probe.bind((host, 0))
        return {name: _join(host, probe.getsockname()[1]) for name, probe in probes.items()}
    finally:
        for probe in probes.values():
            probe.close()


def _listener(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    probe = socket.socket(family, socket.SOCK_STREAM)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return probe


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
