"""Encryption with keys from the environment: AES-128-CBC with HMAC-SHA256, in Fernet's form."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from services.common.errors import NoCredentials


class FernetSealing:
    """The first key encrypts, any of them decrypts: put a new one in front to replace the old."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take one or more keys as `Fernet.generate_key` makes them. Raises ValueError."""
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    async def seal(self, plain: bytes) -> bytes:
        """Encrypt with the first key."""
        return self._fernet.encrypt(plain)

    async def open(self, sealed: bytes) -> bytes:
        """Decrypt. Raises NoCredentials when no key fits."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            message = "a vendor key cannot be decrypted: the key it was encrypted with is missing"
            raise NoCredentials(
                message, metadata={"missing": "GENERATOR_VENDOR_KEYS_SECRET"}
            ) from error
