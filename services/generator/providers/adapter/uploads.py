"""How vendors take in a picture that is too big for a request, as plain facts about each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.generator.domain.tasks import Json, Media
from services.generator.providers.adapter.contract import Call, Part, Reply
from services.generator.providers.adapter.reading import at, text


@dataclass(frozen=True, slots=True)
class Place:
    """Where bytes may be put without credentials, and the `address` that they then have.

    `url` "" means that they lie there already. With `form` they go into the field "file" of a form
    that begins with these fields; without one they are the body of a PUT.
    """

    address: str
    url: str = ""
    form: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Uploads:
    """A call at `path` that answers with the picture's `address` (steps parted by dots).

    With `body` (in which "{name}" and "{type}" are filled in) it only asks for a place, which lies
    at `place` of the answer, with the fields of its form at `form`; without one it carries the
    picture itself, in the field "content". `host` is where that is another one than the vendor's
    usual `base_url`.
    """

    path: str
    address: str
    place: str = ""
    form: str = ""
    body: Mapping[str, str] = field(default_factory=dict)
    host: str = ""

    def call(self, picture: Media, host: str) -> Call:
        """Return the call; nothing is paid for it."""
        part, url = Part.of(picture), f"{host.rstrip('/')}{self.path}"
        if not self.body:
            return Call(method="POST", path=url, form={"content": part})
        words = {"{name}": part.filename, "{type}": picture.media_type}
        body: dict[str, Json] = {key: words.get(word, word) for key, word in self.body.items()}
        return Call(method="POST", path=url, json=body)

    def read(self, reply: Reply) -> Place | None:
        """Return the place, None where the answer names none."""
        address = text(reply.body, *self.address.split("."))
        url = text(reply.body, self.place) if self.place else ""
        found = at(reply.body, self.form) if self.form else None
        fields = found if isinstance(found, dict) else {}
        if not address or (self.place and not url):
            return None
        return Place(address, url, {name: str(value) for name, value in fields.items()})
