"""A worker's second thread: it keeps the claim alive, and knows when the worker has to stop.

Python runs signal handlers only between two steps of the main thread, which may be in C for
minutes. So the handler wakes this thread, which can end the process whatever the main one does.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from fashionbench.experiments.cluster.claims import Claim

__all__ = ["Heartbeat"]

BEATS = 10
"""In the time after which a claim without one may be taken again."""
GRACE = 60.0
"""Seconds that a signal before the end leaves for the run in hand."""


class Heartbeat:
    """Beats for the claim in hand until the worker's time is over, then drops it and the process.

    What a worker was at then leaves no trace: a run is whole in the inbox or not there.
    """

    def __init__(self, patience: float, deadline: float | None, *, signals: bool) -> None:
        self.deadline = deadline
        """By time.monotonic; None where there is none."""
        self.claim: Claim | None = None
        self.is_lost = False
        """Whether the claim in hand was taken by another."""
        self._beat = patience / BEATS
        self._inside, self._outside = socket.socketpair()
        self._handlers: dict[int, object] = {}
        self._signals = signals
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        if self._signals:
            self._outside.setblocking(False)
            signal.set_wakeup_fd(self._outside.fileno())
            for name in ("SIGTERM", "SIGUSR1"):
                if number := getattr(signal, name, None):
                    self._handlers[number] = signal.signal(number, lambda *_: None)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._signals:
            signal.set_wakeup_fd(-1)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
        self.release()
        self._outside.send(b"\0")
        self._thread.join()
        self._inside.close()
        self._outside.close()

    def hold(self, claim: Claim) -> None:
        """Beat for this claim from now on."""
        self.claim, self.is_lost = claim, False

    def release(self) -> None:
        """Leave the claim in hand to others."""
        if self.claim is not None:
            claim, self.claim = self.claim, None
            claim.release()

    def finish(self) -> None:
        """Tell that the block in hand is done."""
        if self.claim is not None:
            claim, self.claim = self.claim, None
            claim.finish()

    def time_left(self, clock: Callable[[], float] = time.monotonic) -> float:
        """Return the seconds until the worker has to stop."""
        return float("inf") if self.deadline is None else self.deadline - clock()

    def _run(self) -> None:
        while True:
            self._inside.settimeout(max(0.01, min(self._beat, self.time_left())))
            try:
                told = self._inside.recv(1)
            except TimeoutError:
                told = b""
            if told == b"\0":
                return
            if told and told[0] == signal.SIGTERM:
                self._drop()
            elif told and told[0] == getattr(signal, "SIGUSR1", None):
                self.deadline = time.monotonic() + min(GRACE, self.time_left())
            if self.time_left() <= 0:
                self._drop()
            if (claim := self.claim) is not None and not claim.beat():
                self.is_lost = self.claim is claim

    def _drop(self) -> None:
        """End the process now."""
        self.release()
        os._exit(0)
