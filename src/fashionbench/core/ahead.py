"""A function of many things, computed ahead on all cores: results in order, few held at once."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["map_ahead"]

MOST = 8
"""Threads; what each holds may be large."""

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(
    function: Callable[[T], R], things: Iterable[T], begin: Callable[[], object] | None = None
) -> Iterator[R]:
    """Yield what a function gives of each thing, in order; its errors are raised in their turn.

    Twice as many as there are threads are computed before they are asked for. Each thread calls
    `begin` first. When the caller stops early, what has not begun is given up.
    """
    threads = min(os.cpu_count() or 1, MOST)
    waiting = deque[Future[R]]()
    pool = ThreadPoolExecutor(threads, initializer=begin)
    try:
        for thing in things:
            waiting.append(pool.submit(function, thing))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
