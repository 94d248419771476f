"""Carries captions as a text track of the film, by the ffmpeg program: nothing is encoded."""

import subprocess
from pathlib import Path

import imageio_ffmpeg

from services.common.children import dying_with_parent

# BCP 47 to the three letters of ISO 639-2 that MP4 has room for.
_LETTERS = {"en": "eng", "sw": "swa", "fr": "fra", "ar": "ara", "zh": "zho", "hi": "hin"}


def attach(film: Path, captions: Path, language: str) -> None:
    """Add a track of timed text to an MP4 (3GPP TS 26.245), shown by default."""
    whole = film.with_suffix(".whole.mp4")
    code = _LETTERS.get(language.lower().partition("-")[0], "und")
    kind = (
        "webvtt"
        if captions.read_bytes()[:9].lstrip(b"\xef\xbb\xbf").startswith(b"WEBVTT")
        else "srt"
    )
    argv = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y",
        "-protocol_whitelist", "file", "-f", "mov", "-i", str(film),
        "-protocol_whitelist", "file", "-f", kind, "-i", str(captions),
        "-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text",
        "-metadata:s:s:0", f"language={code}", "-disposition:s:0", "default",
        "-movflags", "+faststart", "-f", "mp4", str(whole),
    ]  # fmt: skip
    subprocess.run(dying_with_parent(argv), check=True, capture_output=True)
    whole.replace(film)
