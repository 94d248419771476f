"""The scope that a method needs follows from its verb."""

import pytest

from services.common.scopes import required_scope


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        ("/reelmesh.orchestrator.v1.VideoService/GetVideoJob", "read"),
        ("/reelmesh.orchestrator.v1.VideoService/ListVideoModels", "read"),
        ("/reelmesh.orchestrator.v1.VideoService/WatchVideoJob", "read"),
        ("/reelmesh.orchestrator.v1.VideoService/PlanVideo", "read"),
        ("/reelmesh.storage.v1.StorageService/FindAssets", "read"),
        ("/reelmesh.storage.v1.StorageService/SearchAssets", "read"),
        ("/reelmesh.storage.v1.StorageService/DownloadAsset", "read"),
        ("/reelmesh.orchestrator.v1.VideoService/GenerateVideo", "write"),
        ("/reelmesh.storage.v1.StorageService/DeleteAsset", "write"),
        ("/x.Y/Getaway", "write"),
        ("/x.Y/get", "write"),
    ],
)
def test_reading_verbs_read_and_all_others_write(method: str, scope: str) -> None:
    assert required_scope(method) == scope


def test_a_table_may_say_otherwise() -> None:
    assert required_scope("/x.Y/GetSecret", {"/x.Y/GetSecret": "admin"}) == "admin"
