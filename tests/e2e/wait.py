"""Waiting for what only asking can tell: the one place of the tests that asks again and again. What tells of itself is awaited as it is: a stanza, the end of a process."""
import asyncio
import inspect
import time

SECONDS = 20  # for what comes at once, on a machine that is slow
EVERY = 0.01  # seconds between two questions


class Late(AssertionError):
    """What was awaited did not come in time."""


class _Questions:
    """What the two ways of waiting share: when it is too late, and what is said then."""

    def __init__(self, seconds, what, tail):
        self._seconds, self._what, self._tail = seconds, what, tail
        self._deadline = time.monotonic() + seconds

    def go_on(self):
        if time.monotonic() >= self._deadline:
            raise Late(f"no {self._what} in {self._seconds} s" + (f":\n{self._tail()}" if self._tail else ""))


async def until(condition, seconds=SECONDS, what="what was awaited", tail=None, every=EVERY):
    """Returns the truth that `condition()`, a coroutine's too, becomes. `tail()`: what a failure shows besides."""
    questions = _Questions(seconds, what, tail)
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        questions.go_on()
        await asyncio.sleep(every)  # lint: between two questions


def blocked_until(condition, seconds=SECONDS, what="what was awaited", tail=None):
    """As until(), where nothing else is to go on meanwhile."""
    questions = _Questions(seconds, what, tail)
    while not (found := condition()):
        questions.go_on()
        time.sleep(EVERY)  # lint: between two questions
    return found
