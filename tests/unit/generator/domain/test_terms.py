import pytest

from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.terms import Terms


@pytest.mark.parametrize(
    ("model", "commercial", "territory", "words"),
    [
        ("musicgen", True, "KE", "forbids commercial use"),
        ("musicgen", False, "KE", ""),
        ("xtts_v2", True, "KE", "forbids commercial use"),
        ("flux_dev", True, "US", "forbids commercial use"),
        ("hunyuan_video", True, "KE", ""),
        ("hunyuan_video", True, "DE", "excludes EU, UK, KR"),
        ("hunyuan_video", False, "FR", "excludes EU, UK, KR"),
        ("hunyuan_video", True, "GB", "excludes EU, UK, KR"),
        ("hunyuan_video", True, "KR", "excludes EU, UK, KR"),
        ("hunyuan_video", True, "", "where this deployment serves is not set"),
        ("wan_2_2_5b", True, "", ""),
        ("ace_step", True, "DE", ""),
    ],
)
def test_weights_are_used_as_their_licence_allows(
    model: str, commercial: bool, territory: str, words: str
) -> None:
    reason = Terms(commercial, territory).against(load_catalogue().get(model))
    assert words in reason
    assert bool(reason) == bool(words)


def test_a_refusal_names_what_does_the_same_and_may_be_used() -> None:
    catalogue, terms = load_catalogue(), Terms(commercial=True, territory="DE")
    model = catalogue.get("musicgen")
    error = terms.refusal(model, terms.against(model), catalogue)
    assert error.reason == "LICENCE"
    assert "ace_step" in error.metadata["alternatives"]
    assert "musicgen" not in error.metadata["alternatives"]
    assert "hunyuan" not in error.metadata["alternatives"]
