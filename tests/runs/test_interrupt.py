"""A request to stop cannot be lost."""

from __future__ import annotations

import os
import signal
import weakref
from collections.abc import Iterator

import pytest

from runs import interrupt


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    interrupt.defer(False)
    interrupt.clear()


class Loses:
    """Gets a signal where Python drops what its handler raises."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_whose_exception_is_lost_is_remembered(number: int) -> None:
    with interrupt.listening():
        Loses(number)
        assert interrupt.requested()
        with interrupt.watch() as stop, pytest.raises(interrupt.Interrupted) as caught:
            assert stop.is_set()
            interrupt.check()
        assert caught.value.signal_number == number
    assert not interrupt.requested(), "it is forgotten when the command ends"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_in_a_callback_of_a_weak_reference_is_remembered() -> None:
    class Referred: ...

    referred = Referred()
    reference = weakref.ref(referred, lambda dead: os.kill(os.getpid(), signal.SIGINT))
    with interrupt.listening():
        del referred
        assert reference() is None and interrupt.requested()


def test_a_signal_leaves_at_once_by_its_exception_and_the_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt), interrupt.listening():
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(interrupt.Interrupted, match="stopped by SIGTERM"), interrupt.listening():
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_deferred_signal_only_raises_the_flag() -> None:
    with interrupt.listening():
        interrupt.defer(True)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.requested()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupt.listening():
            os.kill(os.getpid(), signal.SIGINT)
            assert not interrupt.requested()
    finally:
        signal.signal(signal.SIGINT, before)
