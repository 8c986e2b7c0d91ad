"""SIGTERM and Ctrl-C: at once, or at the next place where nothing is lost."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
GOES_ON = "the same command resumes from the last checkpoint"


class Interrupted(KeyboardInterrupt):
    """Ends the program by one of the two signals; its text says how to resume."""

    def __init__(self, number: int, advice: str = GOES_ON):
        super().__init__(f"interrupted; {advice}")
        self.number = number

    @property
    def status(self) -> int:
        """The exit status of a program that ends by this signal, as shells have it."""
        return 128 + self.number


def unwind() -> None:
    """From here on both signals raise `Interrupted`, as Ctrl-C raises KeyboardInterrupt."""
    for number in _SIGNALS:
        signal.signal(number, _raise)


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], int]]:
    """Inside, a first signal only makes the function that it gives return its number, else 0; a second one raises.

    A signal that is ignored, or belongs to another thread than this one, is left as it is.
    """
    asked = []

    def remember(number, frame):
        if asked:
            _raise(number, frame)
        asked.append(number)

    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _SIGNALS} if main else {}
    # SIGTERM kills a program that has not said otherwise, which then has nothing to wait for.
    caught = [number for number, handler in before.items() if callable(handler)]
    for number in caught:
        signal.signal(number, remember)
    try:
        yield lambda: asked[0] if asked else 0
    finally:
        for number in caught:
            signal.signal(number, before[number])


def _raise(number, frame):
    raise Interrupted(number)
