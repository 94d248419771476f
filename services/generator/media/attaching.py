"""Carries captions as a text track of the film, by the ffmpeg program: nothing is encoded."""

import errno
import subprocess
from pathlib import Path

import imageio_ffmpeg

from services.common.children import dying_with_parent

_KEPT_LINES = 5


def attach(film: Path, captions: Path, language: str) -> None:
    """Add a track of timed text to an MP4 (3GPP TS 26.245), shown by default.

    Raises OSError where the disk is full, RuntimeError with the program's last lines for all else.
    """
    whole = film.with_suffix(".whole.mp4")
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
        "-metadata:s:s:0", f"language={letters(language)}", "-disposition:s:0", "default",
        "-movflags", "+faststart", "-f", "mp4", str(whole),
    ]  # fmt: skip
    ran = subprocess.run(dying_with_parent(argv), check=False, capture_output=True)
    if ran.returncode:
        whole.unlink(missing_ok=True)
        raise _failure(ran.stderr.decode(errors="replace").splitlines()[-_KEPT_LINES:])
    whole.replace(film)


def letters(language: str) -> str:
    """Return the three letters of ISO 639 that MP4 has room for; "und" for what is no language."""
    from langcodes import Language  # noqa: PLC0415 - every worker would load it, few attach captions
    from langcodes.tag_parser import LanguageTagError  # noqa: PLC0415 - as above

    try:
        return Language.get(language.strip()).to_alpha3() if language.strip() else "und"
    except (LanguageTagError, LookupError):
        return "und"


def _failure(told: list[str]) -> Exception:
    if any("No space left" in line for line in told):
        return OSError(errno.ENOSPC, "the film with its captions has no room")
    return RuntimeError(f"ffmpeg attached no captions: {'; '.join(told)}")
