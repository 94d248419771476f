"""Google's service accounts: a signed statement is exchanged for a token (RFC 7523).

The account's own `token_uri` is not looked at: where a private key's statement is sent is the
operator's business and never that of whoever brought the key.
"""

import json
from datetime import datetime

import jwt
from pydantic import SecretStr
from typing_extensions import override

from services.common.errors import ProviderRefused
from services.generator.providers.adapter.vendor import Adapter, SignIn

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SECONDS = 3600


class GoogleAccount(Adapter):
    """Needs `service_account`, the JSON that Google Cloud hands out, or a ready `access_token`."""

    access_token: SecretStr = SecretStr("")
    service_account: SecretStr = SecretStr("")
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, no secret

    @override
    def auth(self, now: datetime) -> dict[str, str]:
        return {"authorization": f"Bearer {self.access_token.get_secret_value()}"}

    @override
    def sign_in(self, now: datetime) -> SignIn | None:
        if not self.service_account.get_secret_value():
            return None
        try:
            statement = self._statement(int(now.timestamp()))
        except (ValueError, TypeError, KeyError, AttributeError, jwt.PyJWTError) as error:
            message = "the service account is not the JSON that Google Cloud hands out"
            raise ProviderRefused(message) from error
        return SignIn(self.token_url, {"grant_type": GRANT, "assertion": statement})

    @override
    def signed_in(self, token: str) -> Adapter:
        return self.model_copy(update={"access_token": SecretStr(token)})

    def _statement(self, second: int) -> str:
        account = json.loads(self.service_account.get_secret_value())
        claims = {
            "iss": account["client_email"],
            "scope": SCOPE,
            "aud": self.token_url,
            "iat": second,
            "exp": second + SECONDS,
        }
        named = {"kid": account["private_key_id"]} if account.get("private_key_id") else {}
        return jwt.encode(claims, account["private_key"], "RS256", headers=named)
