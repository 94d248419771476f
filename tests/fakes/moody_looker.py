"""A process that is asked about files and does what they say, as a module to be run.

The bounds and the lines are those of the real one.
"""

import mmap
import os
import signal
import sys
from pathlib import Path
from typing import Any

from services.common.errors import DataLoss
from services.storage.adapters.line_server import serve
from services.storage.domain.assets import Manifest

GIB = 1024**3


class Mood:
    """What files of before have left behind."""

    def __init__(self) -> None:
        self.doomed = False
        self.hoard: list[mmap.mmap] = []

    def look(self, path: str, task: str = "", **_: str) -> dict[str, Any]:
        """Do what the file says and answer with its words and with who read them."""
        if self.doomed:
            os.kill(os.getpid(), signal.SIGSEGV)
        if task == "manifest":
            return {"manifest": Manifest.ABSENT}
        words = Path(path).read_text(encoding="utf-8")
        getattr(self, words.split()[0], self.nothing)(Path(path), *words.split()[1:])
        return {"words": words, "pid": os.getpid()}

    def nothing(self, *_: object) -> None:
        """Like most files."""

    def die(self, _: Path, name: str) -> None:
        os.kill(os.getpid(), signal.Signals[name])

    def once(self, path: Path, name: str) -> None:
        """Die of the first who asks, and of nobody after."""
        mark = path.with_suffix(".once")
        if not mark.exists():
            mark.touch()
            self.die(path, name)

    def doom(self, _: Path) -> None:
        self.doomed = True

    def keep(self, _: Path, half_gibs: str) -> None:
        self.hoard += [mmap.mmap(-1, GIB // 2) for _ in range(int(half_gibs))]

    def spin(self, _: Path) -> None:
        while True:
            """Compute for ever."""

    def stop(self, _: Path) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    def stammer(self, _: Path) -> None:
        sys.stdout.write("no JSON\n")
        sys.stdout.flush()

    def list(self, _: Path) -> None:
        sys.stdout.write("[]\n")
        sys.stdout.flush()

    def damage(self, _: Path) -> None:
        msg = "it makes no sense"
        raise DataLoss(msg)

    def grow(self, path: Path, then: str, *words: str) -> None:
        """Begin a copy, append a label, and only then do something else."""
        path.with_name(f"{path.stem}.moved.part").write_text("a beginning")
        with path.open("a", encoding="utf-8") as file:
            file.write("a label")
        getattr(self, then)(path, *words)

    def rot(self, path: Path) -> None:
        """Find damage in a file that the disk no longer gives: reading there is an error."""
        path.unlink()
        path.symlink_to("/proc/self/mem")
        msg = "it ends early"
        raise DataLoss(msg)

    def slip(self, _: Path) -> None:
        int("a mistake")

    def rewrite(self, path: Path) -> None:
        path.with_name(f"{path.stem}.moved.part").write_text("a beginning")
        path.write_text("half of it", encoding="utf-8")
        os.kill(os.getpid(), signal.SIGKILL)

    def err(self, _: Path, number: str) -> None:
        raise OSError(int(number), os.strerror(int(number)), "/a/path/of/ours")

    def blunder(self, _: Path) -> None:
        raise KeyError(0)


if __name__ == "__main__":
    serve(Mood().look)
