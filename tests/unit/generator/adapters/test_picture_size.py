import io

import pytest
from PIL import Image

from services.generator.adapters.picture_size import size_of


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_picture_tells_its_size(kind: str) -> None:
    held = io.BytesIO()
    Image.new("RGB", (64, 36)).save(held, kind)
    assert size_of(held.getvalue()) == (64, 36)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg/>", b"\\x89PNG\\r\\n\\x1a\\n"])
def test_what_is_no_picture_has_none(data: bytes) -> None:
    assert size_of(data) is None
