"""A durable engine in a dictionary, which may die before or after any step."""

import random


class Crash(BaseException):
    """The process dies here."""


class Journal:
    """A durable engine in a dictionary: remembers results, may die before or after any step."""

    def __init__(self, chance=0.0, seed=0):
        self.results, self.count = {}, 0
        self.random, self.chance = random.Random(seed), chance

    def reserve(self):
        self.count += 1
        return JournalSlot(self, self.count)

    def maybe_die(self):
        if self.random.random() < self.chance:
            raise Crash


class JournalSlot:
    def __init__(self, journal, number):
        self.journal, self.number = journal, number

    async def run(self, name, step, *arguments):
        known = self.journal.results.get(self.number)
        if known:
            assert known[0] == name, "a slot was filled by another step"
            return known[1]
        self.journal.maybe_die()
        result = await step(*arguments)
        self.journal.maybe_die()
        self.journal.results[self.number] = (name, result)
        return result
