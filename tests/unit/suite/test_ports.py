"""Which ports the suite takes."""

import json
import socket
from pathlib import Path

import pytest

from services.common.errors import FailedPrecondition
from services.suite import ports
from services.suite.settings import DEFAULT_PORTS
from tests.servers.process import free_ports


def test_free_ports_are_five_different_ones():
    chosen = ports.choose("127.0.0.1", 0)

    assert set(chosen) == set(DEFAULT_PORTS)
    assert len(set(chosen.values())) == 5
    assert not any(address.endswith(":0") for address in chosen.values())


def test_a_base_is_five_in_a_row_unless_one_is_taken():
    for base in free_ports(20):
        with socket.socket() as probe:
            try:
                chosen = ports.choose("127.0.0.1", base)
            except (FailedPrecondition, OverflowError):
                continue
            assert [int(a.rpartition(":")[2]) for a in chosen.values()] == list(
                range(base, base + 5)
            )
            probe.bind(("127.0.0.1", base + 2))
            probe.listen()
            with pytest.raises(FailedPrecondition, match=rf"storage.*:{base + 2}.*--port-base"):
                ports.choose("127.0.0.1", base)
            return
    pytest.fail("no five free ports in a row")


def test_an_ipv6_address_is_written_with_brackets():
    assert all(address.startswith("[::1]:") for address in ports.choose("::1", 0).values())


def test_the_file_is_there_whole_or_not_at_all(tmp_path: Path):
    ports.write(tmp_path / "ports.json", {"gateway": "127.0.0.1:1"})

    assert json.loads((tmp_path / "ports.json").read_text()) == {"gateway": "127.0.0.1:1"}
    assert [path.name for path in tmp_path.iterdir()] == ["ports.json"]
