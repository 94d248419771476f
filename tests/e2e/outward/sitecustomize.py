"""Python loads this at its start where its folder is on PYTHONPATH: writes down every look outside.

An audit hook hears of each name that is looked up and each address that is spoken to, whatever
library asks; what stays on this machine is left out. The file is named by REELMESH_TEST_OUTWARD.
"""

import ipaddress
import os
import sys

_FILE = os.environ.get("REELMESH_TEST_OUTWARD", "")  # noqa: TID251 - it runs before any settings
_HEARD = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0}
_HERE = frozenset({"", "localhost"})


def _outside(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    if name in _HERE:
        return False
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return True  # a name that had to be looked up
    return not (address.is_loopback or address.is_unspecified)


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    place = _HEARD.get(event)
    if place is None:
        return
    spoken_to = arguments[place]
    if event != "socket.getaddrinfo":
        if not isinstance(spoken_to, tuple):
            return  # a path: a socket of this machine
        spoken_to = spoken_to[0]
    if _outside(spoken_to):
        with open(_FILE, "a", encoding="utf-8") as file:
            file.write(f"{event} {arguments[place]!r} by {sys.argv[:3]}\n")


if _FILE:
    sys.addaudithook(_hear)
