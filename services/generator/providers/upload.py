"""Puts pictures where vendors say: an untrusted address, to which no credentials go."""

import httpx

from services.common.errors import ProviderRefused, Unavailable
from services.common.url_policy import UNREACHED, UrlPolicy
from services.generator.domain.tasks import Media
from services.generator.providers.adapter import Place


class Uploader:
    """Uploads under the operator's URL policy."""

    def __init__(self, http: httpx.AsyncClient, policy: UrlPolicy) -> None:
        """Use `http`, made by `fetching.fetching_client` and closed by the caller."""
        self._http = http
        self._policy = policy

    async def put(self, place: Place, picture: Media) -> None:
        """Put the bytes there. Redirects are not followed, and of the answer only its head is read.

        Raises Unavailable (try again), PermissionDenied (the address is not allowed) and
        ProviderRefused (the place does not take them).
        """
        url = self._policy.check(place.url, "upload")
        pinned = await self._policy.pin(url)
        file = ("picture", picture.data, picture.media_type)
        fields = [(name, (None, value, None)) for name, value in place.form.items()]
        request = self._http.build_request(
            "POST" if place.form else "PUT",
            pinned.target,
            files=[*fields, ("file", file)] if place.form else None,
            content=None if place.form else picture.data,
            headers={"host": pinned.host_header}
            | ({} if place.form else {"content-type": picture.media_type}),
            extensions={"sni_hostname": url.host},
        )
        try:
            response = await self._http.send(request, stream=True, follow_redirects=False)
            await response.aclose()
        except UNREACHED as error:
            message = f"the host {url.host!r} cannot be reached: {type(error).__name__}"
            raise Unavailable(message) from error
        if response.status_code >= 500 or response.status_code == 429:
            message = f"HTTP {response.status_code} to an upload"
            raise Unavailable(message)
        if not response.is_success:
            message = f"the vendor's own upload address answers HTTP {response.status_code}"
            raise ProviderRefused(message)
