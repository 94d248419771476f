"""Hugging Face's hub, or whatever speaks its protocol at another address."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from huggingface_hub import HfApi, errors, snapshot_download

from services.common.errors import NotFound, PermissionDenied, ServiceError, Unavailable
from services.generator.domain.weights import RemoteFile, Snapshot


class HuggingFaceHub:
    """Reads public and, with a token, gated repositories. `endpoint` None is the hub itself."""

    def __init__(
        self, *, token: str = "", endpoint: str | None = None, offline: bool = False
    ) -> None:
        self._token: str | bool = token or False
        self._endpoint = endpoint
        self._offline = offline

    async def snapshot(self, repository: str, revision: str) -> Snapshot:
        """Return what a revision is now; see `Hub.snapshot`."""
        return await asyncio.to_thread(self._snapshot, repository, revision)

    async def fetch(self, snapshot: Snapshot, files: Sequence[RemoteFile], folder: str) -> None:
        """Bring files into a folder, going on where an earlier try stopped; see `Hub.fetch`."""
        await asyncio.to_thread(self._fetch, snapshot, files, folder)

    def _snapshot(self, repository: str, revision: str) -> Snapshot:
        self._require_line()
        api = HfApi(endpoint=self._endpoint, token=self._token)
        with _told(repository):
            found = api.model_info(repository, revision=revision, files_metadata=True)
        return Snapshot(
            repository=repository,
            commit=found.sha or "",
            files=tuple(
                RemoteFile(
                    path=file.rfilename,
                    size=file.size or 0,
                    sha256=file.lfs.sha256 if file.lfs else "",
                )
                for file in found.siblings or ()
            ),
        )

    def _fetch(self, snapshot: Snapshot, files: Sequence[RemoteFile], folder: str) -> None:
        self._require_line()
        with _told(snapshot.repository):
            snapshot_download(
                snapshot.repository,
                revision=snapshot.commit,
                local_dir=folder,
                allow_patterns=[_literal(file.path) for file in files],
                token=self._token,
                endpoint=self._endpoint,
            )

    def _require_line(self) -> None:
        if self._offline:
            raise Unavailable("HF_HUB_OFFLINE forbids to ask a hub")


def _literal(path: str) -> str:
    """Return a path as a pattern that matches it alone."""
    return path.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")


@contextmanager
def _told(repository: str) -> Iterator[None]:
    """Say what the library's errors mean. Raises NotFound, PermissionDenied, Unavailable."""
    try:
        yield
    except errors.GatedRepoError as error:
        message = f"{repository} is gated: accept its terms on the hub and set HF_TOKEN"
        raise PermissionDenied(message) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise NotFound("repository", repository) from error
    except ServiceError:
        raise
    except Exception as error:  # the library lets its HTTP client's and the system's through
        message = f"{repository} could not be read: {type(error).__name__}"
        raise Unavailable(message) from error
