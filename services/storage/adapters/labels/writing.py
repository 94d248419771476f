"""Labels a file, of whatever kind it is: the label is written, everything else stays as it is."""

from __future__ import annotations

import errno
import mmap
import struct
from functools import partial
from typing import TYPE_CHECKING

from av.error import FFmpegError

from services.common.errors import DataLoss
from services.storage.adapters.labels import films, patches, pictures, sound, statements
from services.storage.adapters.labels.copies import copied, same_packets
from services.storage.adapters.media_formats import MP4, found_in
from services.storage.adapters.media_inspector import measure
from services.storage.adapters.picture_structure import picture_in
from services.storage.adapters.process_limits import FULL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PICTURES = {
    "png": pictures.in_png,
    "jpeg": pictures.in_jpeg,
    "gif": pictures.in_gif,
    "webp": pictures.in_webp,
}
_DAMAGED = (DataLoss, FFmpegError, ValueError, ArithmeticError, IndexError, struct.error)


def labelled(path: Path, content_type: str, source: str) -> Path | None:
    """Return the file with a label; ``source`` is IPTC's digital source type, as a URI.

    It is a copy beside the file, or an MP4 itself to whose end the label was appended. ``None``
    where the file stays as it was to the byte: it has such a statement, or an XMP packet, of its
    own, its format has no place for one (raw AAC), or what comes out would not be the same picture
    or recording. What carries a signed C2PA manifest is not to be given in here. Raises
    ``OSError`` for a disk that is full, and leaves the file as it was then too.
    """
    target = path.with_name(f"{path.stem}.labelled.part")
    done = None
    try:
        if found_in(path) is MP4:
            done = _boxed(path, target, statements.packet(source))
        elif _written(path, target, source) and _same(path, target, content_type):
            done = target
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
    except OSError as error:
        # Larger than what the process that looks into files may see at once.
        if error.errno != errno.ENOMEM:
            raise
    finally:
        if done != target:
            target.unlink(missing_ok=True)
    return done


def _boxed(path: Path, target: Path, packet: bytes) -> Path | None:
    """Append the label to the file, or write it into a copy where something has to stay last."""
    change = films.in_mp4(path, packet)
    if change is None:
        return None
    if change.start == path.stat().st_size:
        patches.append(path, change.data)
        return path
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        patches.write(data, [change], target)
    return target


def _written(path: Path, target: Path, source: str) -> bool:
    """Write the labelled file beside the other; false where it is to stay as it is."""
    found = found_in(path)
    container = found.container if found else ""
    if container == "ogg":
        return copied(path, target, source)
    edit = _edit(path, container, source)
    if edit is None:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        changes = edit(data)
        if changes is not None:
            patches.write(data, changes, target)
    return changes is not None


def _edit(
    path: Path, container: str, source: str
) -> Callable[[mmap.mmap], list[patches.Patch] | None] | None:
    """Return what finds the place of the label in such a file."""
    packet = statements.packet(source)
    if container in _PICTURES:
        picture = picture_in(path, container)
        return lambda data: _PICTURES[container](data, packet, picture)
    edits: dict[str, Callable[[mmap.mmap], list[patches.Patch] | None]] = {
        "wav": partial(sound.in_wav, packet=packet),
        "mp3": partial(sound.in_mp3, packet=packet),
        "flac": partial(sound.in_flac, comment=statements.comment(source)),
        "webm": partial(films.in_matroska, path=path, source=statements.short(source)),
    }
    return edits.get(container)


def _same(path: Path, target: Path, content_type: str) -> bool:
    """Whether a demuxer finds in both the same, and neither damage nor anything appended.

    Nothing counts the pieces of a recording, so they are compared.
    """
    if measure(target, content_type) != measure(path, content_type):
        return False
    return not content_type.startswith("audio/") or same_packets(path, target)
