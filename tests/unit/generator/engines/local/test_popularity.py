import json
from concurrent.futures import ThreadPoolExecutor

from services.generator.engines.local.popularity import Popularity


def test_what_is_used_most_comes_first_over_restarts(tmp_path) -> None:
    path = tmp_path / "data" / "popular.json"
    uses = Popularity(path)
    for model in ("wan", "ltx", "wan", "sdxl", "gone", "gone", "gone"):
        uses.used(model)
    again = Popularity(path)
    assert again.favourites({"wan", "ltx", "sdxl"}, 2) == ("wan", "ltx")


def test_uses_of_many_threads_are_all_counted(tmp_path) -> None:
    path = tmp_path / "popular.json"
    uses = Popularity(path)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(uses.used, ["wan", "ltx"] * 200))
    assert json.loads(path.read_text()) == {"wan": 200, "ltx": 200}
    assert [found.name for found in tmp_path.iterdir()] == ["popular.json"]


def test_a_torn_file_counts_as_empty(tmp_path) -> None:
    path = tmp_path / "popular.json"
    for text in ("{", "[]", '{"a": "x", "b": -1}'):
        path.write_text(text)
        assert Popularity(path).favourites({"a", "b"}, 5) == ()


def test_what_was_popular_once_does_not_stay_so_for_ever(tmp_path) -> None:
    uses = Popularity(tmp_path / "popular.json")
    for _ in range(10_000):
        uses._uses["old"] += 1
        if uses._uses["old"] == 9_999:
            break
    uses.used("old")
    assert uses._uses["old"] == 5_000
