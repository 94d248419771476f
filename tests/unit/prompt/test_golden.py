"""How well the rules understand prompts: figures are printed, 90 % is the floor."""

import time

import pytest

from services.prompt.adapters.rules.reader import RulesReader
from tests.unit.prompt.golden_set import load, score

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("part", ["dev", "holdout"])
def test_the_rules_fill_nine_of_ten_fields_rightly(
    part: str, reader: RulesReader, capsys: pytest.CaptureFixture[str]
) -> None:
    result = score(reader, load(part))
    with capsys.disabled():
        print(
            f"\ngolden {part}: {result.prompts} prompts, every field {result.accuracy:.1%}, "
            f"stated fields {result.said_accuracy:.1%}\n  {result.table()}"
        )
    assert result.said_accuracy >= 0.9, "\n".join(result.wrong)
    assert all(result.right[name] / result.total[name] >= 0.9 for name in result.total)


def test_the_golden_set_is_large_and_a_third_of_it_was_held_out() -> None:
    dev, holdout = load("dev"), load("holdout")
    assert len(dev) + len(holdout) >= 120
    assert len(holdout) >= (len(dev) + len(holdout)) / 3
    assert len({row["prompt"] for row in dev + holdout}) == len(dev) + len(holdout)


def test_a_prompt_is_read_in_under_five_milliseconds(reader: RulesReader) -> None:
    prompts = [row["prompt"] for row in load("dev") + load("holdout")]
    times = []
    for prompt in prompts:
        started = time.process_time()
        reader.read(prompt)
        times.append(time.process_time() - started)
    assert sorted(times)[len(times) // 2] < 0.005


ATTACKS = [
    "no " * 4000,
    "1" * 20_000,
    "a b " * 5000,
    '"' * 20_000,
    "16:" * 6000,
    "Anna and " * 4000,
    ", or " * 4000,
    "10 seconds " * 2000,
    "bila watu na " * 2000,
    "In Paris with the sun " * 1000,
    "pan slowly " * 2000,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda text: text[:8])
def test_no_text_makes_the_rules_slow(attack: str, reader: RulesReader) -> None:
    started = time.process_time()
    reader.read(attack[:20_000])
    assert time.process_time() - started < 2
