"""AWS STS as far as roles of service accounts need it: AssumeRoleWithWebIdentity."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

_ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{key}</AccessKeyId>
<SecretAccessKey>{secret}</SecretAccessKey><SessionToken>session {number}</SessionToken>
<Expiration>{until}</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::1:x</Arn>
<AssumedRoleId>x</AssumedRoleId></AssumedRoleUser></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


@dataclass
class Sts:
    """Hands the same keys out to whoever shows a token; each time for ``lifetime``."""

    key: str
    secret: str
    lifetime: timedelta = timedelta(hours=1)
    asked: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        form = {k: v[0] for k, v in parse_qs((await request.body()).decode()).items()}
        self.asked.append(form)
        until = (datetime.now(UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
        told = _ANSWER.format(key=self.key, secret=self.secret, until=until, number=len(self.asked))
        return Response(told, media_type="text/xml")
