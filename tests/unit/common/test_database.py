"""URLs of databases, in every form that people write."""

import pytest

from services.common.database import normalise_url


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql+psycopg://h/d", "postgresql+asyncpg://h/d"),
        ("sqlite:////x/y.db", "sqlite+aiosqlite:////x/y.db"),
        ("/x/y.db", "sqlite+aiosqlite:////x/y.db"),
    ],
)
def test_every_usual_form_of_a_url_is_understood(given: str, used: str) -> None:
    assert normalise_url(given).render_as_string(hide_password=False) == used


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="mysql is not supported"):
        normalise_url("mysql://h/d")
