"""One picture of a clip, to be looked at."""

from pathlib import Path

from av.error import FFmpegError

from services.generator.media.opening import opened

_LARGEST = 512
"""Pixels of its longer side: whoever looks at it makes it smaller still."""


def still(clip: Path, picture: Path, seconds: float) -> bool:
    """Write the frame at this time, or the last one before it, as PNG; whether there was one."""
    last = None
    try:
        with opened(clip, "media") as container:
            stream = container.streams.video[0]
            base = stream.time_base
            wanted = (stream.start_time or 0) + round(seconds / base)
            container.seek(wanted, stream=stream)
            for frame in container.decode(stream):
                if last is not None and frame.pts > wanted:
                    break
                last = frame
    except (FFmpegError, IndexError):
        return False
    if last is None:
        return False
    scale = min(1.0, _LARGEST / max(last.width, last.height))
    size = (max(1, round(last.width * scale)), max(1, round(last.height * scale)))
    last.to_image(width=size[0], height=size[1]).save(picture)
    return True
