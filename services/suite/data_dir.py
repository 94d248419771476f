"""The folder of one suite: locked while it runs, with the secrets that it made for itself."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from services.common.errors import FailedPrecondition

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_NAME = "suite.lock"
KEY_NAME = "signing.key"
VENDOR_KEYS_NAME = "vendor_keys.secret"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process alone; the system lets go of it when the process dies.

    Raises ``FailedPrecondition`` that names the process that has it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / LOCK_NAME).open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            by = f" (process {holder})" if holder else ""
            raise FailedPrecondition(
                f"another suite{by} is running on {folder}: stop it, or choose another --data-dir"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def holder(folder: Path) -> str:
    """Return the id of the process whose suite runs on ``folder``, "" when there is none."""
    try:
        with (folder / LOCK_NAME).open("r", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip()
    except OSError:
        pass
    return ""


def signing_key(folder: Path) -> str:
    """Return the secret of this folder, made on first use and readable by its owner alone."""
    return _kept(folder, KEY_NAME, secrets.token_urlsafe(48))


def vendor_keys_secret(folder: Path) -> str:
    """Return the key that encrypts tenants' vendor keys in this folder, made as `signing_key`."""
    return _kept(folder, VENDOR_KEYS_NAME, new_vendor_keys_secret())


def new_vendor_keys_secret() -> str:
    """Return a new encryption key, in the form that Fernet takes."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _kept(folder: Path, name: str, fresh: str) -> str:
    path = folder / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f"{name}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(fresh)
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link fails where the name is taken: of two that start at once, one key wins.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()
    return path.read_text(encoding="ascii").strip()
