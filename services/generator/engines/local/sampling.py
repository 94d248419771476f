"""Models that draw one token after another: noise by seed, progress, and a place to stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from services.generator.domain.vram import Plan
from services.generator.engines.local.family import OnStep
from services.generator.engines.local.loading import arguments
from services.generator.engines.local.probe import Source, folder_of

_NOISE = Lock()


def load_model(source: Source, plan: Plan, class_name: str) -> Any:
    """Return a model of transformers on its device, in evaluation mode."""
    import transformers

    model = getattr(transformers, class_name).from_pretrained(folder_of(source), **arguments(plan))
    return model.to(plan.device.place).eval()


def load_words(source: Source, class_name: str = "AutoTokenizer") -> Any:
    """Return the tokenizer (or processor) of a checkpoint."""
    import transformers

    kind = getattr(transformers, class_name)
    return kind.from_pretrained(folder_of(source), local_files_only=True)


@contextmanager
def noise(seed: int) -> Iterator[None]:
    """Draw all noise of the block from `seed`; what was drawn outside is not disturbed.

    These models know no generator of their own but the process's, so one runs at a time.
    """
    import torch

    with _NOISE, torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(seed)
        yield


class Tokens:
    """Counts tokens for `on_step`; given to `generate` as its stopping criteria.

    `on_step` ends a run by raising: to answer "stop" breaks models that draw several codes at once.
    """

    def __init__(self, on_step: OnStep, total: int) -> None:
        self._on_step = on_step
        self._total = max(1, total)
        self._done = 0
        on_step(0, self._total)

    def criteria(self) -> Any:
        """Return what `generate` asks after each token."""
        from transformers import StoppingCriteriaList

        return StoppingCriteriaList([self])

    def __call__(self, tokens: Any, scores: Any, **more: Any) -> Any:
        """Count one token and go on."""
        import torch

        if self._done < self._total:
            self._done += 1
            self._on_step(self._done, self._total)
        return torch.zeros(tokens.shape[0], dtype=torch.bool, device=tokens.device)

    def finish(self) -> None:
        """Say that all is done: a model may say less than it had room for."""
        if self._done < self._total:
            self._on_step(self._total, self._total)
