"""Checkpoints with random weights, built once in a session."""

import pytest

from tests.fakes.checkpoints import Shelf


@pytest.fixture(scope="session")
def shelf(tmp_path_factory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("checkpoints"))
