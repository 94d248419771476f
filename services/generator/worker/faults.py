"""Crash tests end the process at a named step; elsewhere reaching a step means nothing."""

import os
import signal
from dataclasses import dataclass

from services.generator.domain.steps import Step


@dataclass(frozen=True, slots=True)
class Crash:
    """Kills the process as `kill -9` does when `at` is reached; None never does."""

    at: Step | None = None

    def reached(self, step: Step) -> None:
        """Die here, if this is the step."""
        if step is self.at:
            os.kill(os.getpid(), signal.SIGKILL)
