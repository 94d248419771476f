"""Files that are something else as well: an archive, a document or a page behind, or in, a film.

Whoever takes such a file for the other thing runs what the film's makers never saw. What counts is
where somebody would read it: an archive from its end or behind a program, a document from its first
kilobyte. Behind the end of its own format no file has anything.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, BinaryIO

from services.common.errors import DataLoss

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from services.storage.adapters.mp4_boxes import Box

# Boxes without a meaning to players, in which anything could hide.
_PADDING = frozenset({b"free", b"skip", b"wide", b"uuid"})
# The case is left open behind the first letter only: padding of zeros is gone through ten times as
# fast.
_FOREIGN = re.compile(
    rb"<(?i:!doctype\s+html|html|head|body|script|svg|iframe|\?php)|PK\x03\x04|PK\x05\x06"
    rb"|%PDF-|\x7fELF[\x01\x02][\x01\x02]\x01"
)
_OVERLAP = 32
_BLOCK = 1024 * 1024
# APPNOTE 4.3.16: an archive is found by a record of 22 bytes and a comment at its end; of a large
# one the 20 bytes before them tell (4.3.15).
_ARCHIVE, _LISTING, _LARGE = b"PK\x05\x06", b"PK\x01\x02", b"PK\x06\x07"
_AN_ARCHIVE = "the file is an archive as well"
_RECORD, _LOCATOR = 22, 20
_ARCHIVE_TAIL = _LOCATOR + _RECORD + 0xFFFF
# Readers of PDF look for its header in the first 1,024 bytes (ISO 32000-1, annex H.3.4.1).
_DOCUMENT, _DOCUMENT_WITHIN = b"%PDF-", 1024
# 7-Zip and unrar look for an archive behind a program that unpacks it, a few MiB at most.
_BEHIND_PROGRAMS = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07")
_PROGRAM_BYTES = 8 * 1024 * 1024
# RIFF sizes from here on are what is written where the size is not known yet.
_SENT_AS_MADE = 0x7FFF0000


def refuse_document(path: Path) -> None:
    """Raise ``DataLoss`` when a reader of documents would take the file for a PDF."""
    with path.open("rb") as file:
        head = file.read(_DOCUMENT_WITHIN)
    if _DOCUMENT in head:
        msg = "the file is a PDF document as well"
        raise DataLoss(msg)


def refuse_archive(path: Path) -> None:
    """Raise ``DataLoss`` when the file can be opened as a ZIP, RAR or 7z archive as well."""
    with path.open("rb") as file:
        head = file.read(_PROGRAM_BYTES)
    if any(archive in head for archive in _BEHIND_PROGRAMS):
        raise DataLoss(_AN_ARCHIVE)
    _refuse_zip(path)


def _refuse_zip(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = max(0, size - _ARCHIVE_TAIL)
        file.seek(start)
        tail = file.read()
        at = tail.rfind(_ARCHIVE)
        while at >= 0:
            if _is_archive(file, start + at, tail[max(0, at - _LOCATOR) : at + _RECORD]):
                raise DataLoss(_AN_ARCHIVE)
            at = tail.rfind(_ARCHIVE, 0, at)


def _is_archive(file: BinaryIO, position: int, record: bytes) -> bool:
    """Whether a listing of files lies where the record at ``position`` says that it does.

    ``record`` begins before it, where the locator of a large archive may lie.
    """
    if len(record) < _LOCATOR + _RECORD:
        return False
    (listing,) = struct.unpack_from("<I", record, _LOCATOR + 12)
    if record.startswith(_LARGE):
        return True
    if not 0 < listing <= position:
        return False
    file.seek(position - listing)
    return file.read(4) == _LISTING


def refuse_hidden(path: Path, boxes: Iterable[Box], *, known: frozenset[bytes]) -> None:
    """Raise ``DataLoss`` when the padding of an MP4 holds a page or an archive.

    ``known`` are the extensions of "uuid" boxes that are left alone: they are compressed.
    """
    with path.open("rb") as file:
        for box in boxes:
            if box.kind in _PADDING and box.extension not in known:
                _search(file, box)


def _search(file: BinaryIO, box: Box) -> None:
    before = b""
    for block in _blocks(file, box):
        if _FOREIGN.search(before + block):
            msg = f"the MP4 file is damaged: its padding ({box.kind.decode()}) is something else"
            raise DataLoss(msg)
        before = block[-_OVERLAP:]


def _blocks(file: BinaryIO, box: Box) -> Iterator[bytes]:
    file.seek(box.start + 8)
    left = box.size - 8
    while left > 0 and (block := file.read(min(left, _BLOCK))):
        left -= len(block)
        yield block


def refuse_after_riff(path: Path) -> None:
    """Raise ``DataLoss`` when bytes follow what a RIFF header announces (WAV)."""
    size = _riff_size(path)
    # One byte of padding may be counted or not.
    if not open_ended(size) and path.stat().st_size > 8 + size + 1:
        msg = "the wav file is damaged: something else is appended to it"
        raise DataLoss(msg)


def sent_as_made(path: Path) -> bool:
    """Whether a RIFF header knows no length: all that comes until the end belongs to it."""
    return open_ended(_riff_size(path))


def _riff_size(path: Path) -> int:
    with path.open("rb") as file:
        return int.from_bytes(file.read(8)[4:8], "little")


def open_ended(size: int) -> bool:
    """Whether a RIFF size is what is written where no length is known."""
    return size == 0 or size >= _SENT_AS_MADE
