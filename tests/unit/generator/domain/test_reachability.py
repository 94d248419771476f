"""Which vendors can be reached: few looks while all is well, the truth soon after it is not."""

from services.generator.domain.reachability import Reachability, addresses_of

PROVIDERS = addresses_of(
    [("runway", "a", 443), ("pika", "b", 443), ("fal", "b", 443), ("luma", "c", 443)]
)
ALL = ("a:443", "b:443", "c:443")


def silent(*addresses):
    return lambda asked: {address: address not in addresses for address in asked}


def turn(known, answers):
    """One round as the worker makes it; returns how many addresses were looked at."""
    asked = known.due()
    looks = len(asked)
    if known.heard(answers(asked)):
        asked = known.due()
        looks += len(asked)
        assert not known.heard(answers(asked))
    return looks


def test_a_network_that_works_is_asked_one_address_a_round_each_in_turn():
    known = Reachability(PROVIDERS)
    seen = [known.due() for _ in range(6)]
    assert sorted(a for (a,) in seen) == sorted(ALL * 2)
    assert known.unreachable == frozenset()


def test_the_first_silent_address_makes_all_be_looked_at_at_once():
    known = Reachability(PROVIDERS)
    assert turn(known, silent(*ALL)) == 1 + 3
    assert known.unreachable == {"runway", "pika", "fal", "luma"}


def test_one_vendor_that_is_away_is_told_from_the_network():
    known = Reachability(PROVIDERS)
    for _ in range(3):
        turn(known, silent("b:443"))
    assert known.unreachable == {"pika", "fal"}


def test_a_single_lost_answer_is_not_believed():
    known = Reachability(PROVIDERS)
    assert known.heard(dict.fromkeys(known.due(), False))
    assert not known.heard(dict.fromkeys(known.due(), True))
    assert known.unreachable == frozenset()


def test_who_is_away_is_looked_for_in_every_round_and_comes_back_by_itself():
    known = Reachability(PROVIDERS)
    turn(known, silent(*ALL))
    assert turn(known, silent(*ALL)) == 3
    turn(known, silent("b:443"))
    assert known.unreachable == {"pika", "fal"}
    turn(known, silent())
    assert known.unreachable == frozenset()


def test_where_no_vendor_is_set_up_nothing_is_looked_at():
    known = Reachability({})
    assert known.due() == ()
    assert not known.heard({})
