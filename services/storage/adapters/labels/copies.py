"""Ogg: a comment lies inside its pages, so the packets are copied into pages that are new."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import av

from services.storage.adapters.labels.statements import NAME
from services.storage.adapters.media_formats import TITLES, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_BETWEEN = ";"
"""What FFmpeg writes between comments of the same name."""
_HEAD_BYTES = 1 << 20
"""Comments come before all sound."""


def copied(path: Path, target: Path, source: str) -> bool:
    """Write a copy that is labelled; false where it would not be the same recording.

    Of one stream of sound every packet has to be there with its times, and every comment. The copy
    of the same file is the same each time.
    """
    with opened(path) as original:
        streams = list(original.streams)
        if [stream.type for stream in streams] != ["audio"] or original.chapters():
            return False
        said = streams[0].metadata
        if NAME.lower() in map(str.lower, said) or _joined(path, said):
            return False
        with _written(target) as copy:
            into = copy.add_stream_from_template(streams[0])
            into.metadata.update(said)
            into.metadata[NAME] = source
            for packet in original.demux():
                if packet.dts is not None:
                    packet.stream = into
                    copy.mux(packet)
    return _alike(_told(path), _told(target))


def _joined(path: Path, said: Mapping[str, str]) -> bool:
    """Whether the file may say something twice: FFmpeg makes one comment of both."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).lower()
    texts = {name.lower().encode() + b"=" for name, text in said.items() if _BETWEEN in text}
    return any(head.count(name) != 1 for name in texts)


def same_packets(one: Path, other: Path) -> bool:
    """Whether both have the same packets with the same times; a demuxer overlooks what is lost."""
    return _alike(_packets(one), _packets(other))


def _alike(one: Iterator[Any], other: Iterator[Any]) -> bool:
    return all(each == its_twin for each, its_twin in zip_longest(one, other))


def _written(target: Path) -> Any:
    exact = {"fflags": "+bitexact"}
    return av.open(str(target), "w", format="ogg", options=exact, metadata_errors=TITLES)


def _told(path: Path) -> Iterator[Any]:
    """Yield what makes it this recording: its facts, its comments, its packets and their times."""
    with opened(path) as container:
        stream = container.streams.audio[0]
        context = stream.codec_context
        yield container.duration, container.start_time, stream.time_base, stream.duration
        yield context.name, context.rate, context.layout.name
        yield {key: text for key, text in stream.metadata.items() if key != NAME}
    yield from _packets(path)


def _packets(path: Path) -> Iterator[Any]:
    with opened(path) as container:
        for packet in container.demux():
            yield packet.pts, packet.dts, packet.duration, packet.is_keyframe, bytes(packet)
