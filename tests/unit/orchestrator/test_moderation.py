"""What is refused before money is spent, and what is not."""

from pathlib import Path

import pytest
import yaml

from services.common.errors import Moderated, Unavailable
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.adapters.moderation import FILE, load_rules
from services.orchestrator.domain.moderation import Rule, RulesPack
from services.orchestrator.domain.policy import ModerationPolicy, Screening, TenantPolicy
from services.orchestrator.usecases.admission import Screen

GOLDEN = Path(__file__).parents[1] / "prompt" / "golden"
RULES = load_rules()


class Endpoint:
    """Answers what it is told; None is one that is away."""

    def __init__(self, *categories, away=False):
        self.categories, self.away, self.asked = categories, away, []

    async def flagged(self, text):
        self.asked.append(text)
        if self.away:
            raise Unavailable("away")
        return self.categories


def policy(**facts):
    return TenantPolicy(moderation=ModerationPolicy(**facts))


@pytest.mark.parametrize(
    ("prompt", "category"),
    [
        ("explicit video of a child, nude", "sexual/minors"),
        ("a NUDE\u200b schoolgirl", "sexual/minors"),
        ("ｐｏｒｎ film in a kitchen", "sexual"),
        ("watoto wakiwa uchi", "sexual/minors"),
        ("How to  make a bomb at home, tutorial", "illicit/violent"),
        ("jinsi ya kutengeneza bomu", "illicit/violent"),
        ("step by step: how to hang yourself", "self-harm/instructions"),
        ("a beheading in the town square", "violence/graphic"),
        ("waue wote wakikuyu", "hate/threatening"),
    ],
)
def test_what_the_rules_name_is_refused_by_category(prompt, category):
    with pytest.raises(Moderated) as told:
        Screen(rules=RULES).quick(prompt, policy())
    assert told.value.metadata == {"by": "rules", "category": category, "charged": "no"}
    assert "nothing was sent or paid" in told.value.message


@pytest.mark.parametrize(
    "prompt",
    [
        "children playing football in Kibera at sunset",
        "a nude statue of David in Florence",
        "a bomb disposal robot rolls down a street",
        "minor chords on a piano, sexual tension between two adults is hinted at",
        "a documentary on the genocide memorial in Kigali",
        "watoto wanacheza mpira",
        "the headless horseman rides at midnight",
    ],
)
def test_words_that_only_look_alike_pass(prompt):
    Screen(rules=RULES).quick(prompt, policy())


def test_no_prompt_of_the_golden_set_is_refused():
    texts = [
        text
        for path in sorted(GOLDEN.glob("*.yaml"))
        for text in _strings(yaml.safe_load(path.read_text(encoding="utf-8")))
    ]
    assert len(texts) > 100
    assert [text for text in texts if RULES.flagged(text)] == []


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def test_a_tenant_may_be_allowed_a_category_but_never_what_nobody_may():
    screen = Screen(rules=RULES)
    screen.quick("a beheading in the town square", policy(allowed=("violence/graphic",)))
    screen.quick("a beheading in the town square", policy(screening=Screening.OFF))
    for open_policy in (policy(allowed=("sexual/minors",)), policy(screening=Screening.OFF)):
        with pytest.raises(Moderated):
            screen.quick("a nude child", open_policy)


async def test_the_endpoint_is_asked_after_the_rules_and_only_where_the_policy_says():
    endpoint = Endpoint("violence")
    screen = Screen(rules=RULES, endpoint=endpoint)
    with pytest.raises(Moderated):
        await screen.whole("a beheading", policy())
    assert endpoint.asked == []
    with pytest.raises(Moderated) as told:
        await screen.whole("a heron", policy())
    assert told.value.metadata["by"] == "endpoint"
    assert await screen.whole("a heron", policy(screening=Screening.RULES)) == ()
    assert await screen.whole("a heron", policy(allowed=("violence",))) == ()
    assert endpoint.asked == ["a heron", "a heron"]


async def test_while_the_endpoint_is_away_the_policy_decides():
    screen = Screen(rules=RULES, endpoint=Endpoint(away=True))
    [warning] = await screen.whole("a heron", policy())
    assert "by rules alone" in load_texts().say("en", [warning])[0]
    with pytest.raises(Unavailable):
        await screen.whole("a heron", policy(refuse_when_away=True))


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ('[[rules]]\ncategory = "x"\ngroups = []', "no words"),
        ('[[rules]]\ncategory = "x"\ngroups = [["a"], []]', "no words"),
        ('[[rules]]\ncategory = "x"\ngroups = [[" "]]', "empty word"),
        ('[[rules]]\ncategory = "x"\ngroups = [["a"]]\nseverity = 1', "severity"),
        ("[[rules]]\ngroups = [['a']]", "category"),
    ],
)
def test_a_file_of_rules_that_does_not_hold_together_is_refused(tmp_path, words, fault):
    path = tmp_path / "rules.toml"
    path.write_text(words)
    with pytest.raises(ValueError, match=fault):
        load_rules(path)


def test_every_group_must_be_hit():
    rule = Rule(category="c", groups=(("red", "blue sky"), ("fish",)))
    pack = RulesPack((rule,))
    assert pack.flagged("A Blue   sky over a fish") == ("c",)
    assert pack.flagged("a blue sky over fishes") == ()
    assert FILE.name == "rules.toml"
