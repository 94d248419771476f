"""Addresses of objects in S3 that give the bytes to whoever holds them."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from services.common.errors import FailedPrecondition
from services.common.media_urls import content_disposition
from services.storage.adapters.s3_calls import SIGN
from services.storage.domain.media_types import served_as, shown_inline

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from services.storage.adapters.s3_calls import S3Calls
    from services.storage.domain.assets import Asset


class S3Signer:
    """Presigns; no address outlives the credentials that it is signed with."""

    def __init__(
        self,
        calls: S3Calls,
        *,
        now: Callable[[], datetime],
        client: Any = None,
        until: datetime | None = None,
    ) -> None:
        """Sign for the place that ``client`` reaches, by default that of ``calls``.

        ``until`` is when given keys end; of those that botocore finds, it knows that itself.
        """
        self._calls = calls
        self._now = now
        self._client = client or calls.client
        self._until = until

    async def sign(
        self, asset: Asset, *, expires: datetime, download_name: str
    ) -> tuple[str, datetime]:
        """Return the address and when it ends: at ``expires``, or before with the credentials."""
        content_type, key = asset.description.content_type, str(asset.key)
        attached = bool(download_name) or not shown_inline(content_type)
        file_name = download_name or asset.file_name
        parameters = {
            "Bucket": self._calls.bucket,
            "Key": key,
            "ResponseContentType": served_as(content_type),
            "ResponseContentDisposition": content_disposition(file_name, attachment=attached),
        }
        # In a thread: credentials that have run out are renewed over the network here.
        return await self._calls.run(key, lambda: self._signed(parameters, expires), turn=SIGN)

    def _signed(self, parameters: dict[str, str], expires: datetime) -> tuple[str, datetime]:
        # First the end, then the signature: renewed in between, they only last longer than told.
        until = self._credentials_end()
        ends = min(expires, until) if until else expires
        seconds = round((ends - self._now()).total_seconds())
        if until and seconds < 1:
            msg = "the credentials for the object store have run out; renew them"
            raise FailedPrecondition(msg)
        url = self._client.generate_presigned_url(
            "get_object", Params=parameters, ExpiresIn=max(1, seconds)
        )
        return str(url), ends

    def _credentials_end(self) -> datetime | None:
        """Return when the token of the session ends, ``None`` for keys that last."""
        found = self._client._request_signer._credentials
        if found is None:
            return None
        # Renews what is about to end, or was never asked for.
        found.get_frozen_credentials()
        ends: datetime | None = getattr(found, "_expiry_time", None)
        return ends.astimezone(UTC) if ends else self._until
