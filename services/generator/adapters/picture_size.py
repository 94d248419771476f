"""How large a picture is, told from its first bytes."""

import io


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels, None for what is no picture that can be read."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - few models ask: loaded for them

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None
