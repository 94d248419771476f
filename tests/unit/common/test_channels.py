"""What is dialled, and what is sent again."""

import json

import pytest

from services.common.channels import channel_options, target_of
from services.common.errors import InvalidArgument
from services.common.ids import new_id


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("dns:///storage:50053", "dns:///storage:50053"),
        ("127.0.0.1:1, 127.0.0.1:2", "ipv4:127.0.0.1:1,127.0.0.1:2"),
        ("[::1]:1,[::1]:2", "ipv6:[::1]:1,[::1]:2"),
    ],
)
def test_an_address_may_name_one_place_or_several(address: str, target: str) -> None:
    assert target_of(address) == target


def test_several_names_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="dns:///"):
        target_of("one:1,two:2")


def test_only_named_methods_are_retried_and_only_when_the_service_is_away() -> None:
    config = json.loads(dict(channel_options(["/a.B/GetC"]))["grpc.service_config"])
    [method] = config["methodConfig"]
    assert method["name"] == [{"service": "a.B", "method": "GetC"}]
    assert method["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert config["loadBalancingConfig"] == [{"round_robin": {}}]


def test_ids_sort_by_the_moment_they_were_made() -> None:
    ids = [new_id() for _ in range(3)]
    assert [len(text) for text in ids] == [26, 26, 26]
    assert len(set(ids)) == 3
    assert ids[0] == ids[0].lower()
