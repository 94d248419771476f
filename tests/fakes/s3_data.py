"""botocore's description of S3, read once for all services that tests run in this process."""

import functools

from services.storage.adapters import s3_client
from services.storage.adapters.s3_models import s3_loader


def share_s3_data() -> None:
    """For this process, from now on: a client takes a tenth of a second of a core less."""
    s3_client.s3_loader = _loader  # type: ignore[attr-defined] # what its module imports


# A session's clients share its loader as well: nobody changes what it has read.
_loader = functools.cache(s3_loader)
