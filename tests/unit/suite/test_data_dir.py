"""The folder of a suite: one holder, one secret."""

import os
import stat
from pathlib import Path

import pytest

from services.common.errors import FailedPrecondition
from services.suite import data_dir


def test_a_folder_has_one_holder_and_is_free_after_it(tmp_path: Path):
    folder = tmp_path / "new" / "data"
    with data_dir.locked(folder):
        assert data_dir.holder(folder) == str(os.getpid())
        with (
            pytest.raises(FailedPrecondition, match=f"process {os.getpid()}.*--data-dir"),
            data_dir.locked(folder),
        ):
            pass
    assert data_dir.holder(folder) == ""
    with data_dir.locked(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_nobody_holds_a_folder_that_is_not_there(tmp_path: Path):
    assert data_dir.holder(tmp_path / "none") == ""


def test_the_secret_is_made_once_and_for_its_owner(tmp_path: Path):
    first = data_dir.signing_key(tmp_path)

    assert data_dir.signing_key(tmp_path) == first
    assert len(first) >= 64
    assert stat.S_IMODE((tmp_path / data_dir.KEY_NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [data_dir.KEY_NAME]
    assert data_dir.signing_key(tmp_path / "other") != first
