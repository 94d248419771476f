"""Whether a picture is one that a model can take, told before anything is sent or paid."""

from services.common.errors import InvalidArgument
from services.generator.domain.media import Media
from services.generator.domain.models import Model

IN_REQUEST = frozenset({"bytes", "base64", "data_uri"})
"""The forms in which a picture travels within the request itself."""


def check_picture(model: Model, name: str, picture: Media) -> None:
    """Raise InvalidArgument, naming the field, for bytes that are too many or of another type.

    Of an address nothing is known here.
    """
    inputs, limit = model.inputs, model.inputs.image_max_bytes
    if picture.data and limit is not None and len(picture.data) > limit:
        message = f"has {len(picture.data)} bytes, {model.id} takes at most {limit}"
        raise InvalidArgument(name, message, allowed=(f"at most {limit} bytes",))
    if picture.data and inputs.image_types and picture.media_type not in inputs.image_types:
        message = f"{model.id} does not read {picture.media_type}"
        raise InvalidArgument(name, message, allowed=inputs.image_types)


def check_size(model: Model, name: str, size: tuple[int, int] | None) -> None:
    """Raise InvalidArgument where the model takes certain sizes in pixels alone, not this one."""
    sizes = model.inputs.image_sizes
    told = "an unknown size" if size is None else f"{size[0]}x{size[1]}"
    if sizes and told not in sizes:
        raise InvalidArgument(name, f"has {told}, not one of {model.id}", allowed=sizes)


def fits_in_request(model: Model, picture: Media) -> bool:
    """Tell whether these bytes may travel within the request."""
    inputs, limit = model.inputs, model.inputs.image_inline_max_bytes
    small = limit is None or len(picture.data) <= limit
    return small and not IN_REQUEST.isdisjoint(inputs.image_forms)
