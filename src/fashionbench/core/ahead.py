"""Work done ahead on all cores: the results of a function in order, with few held at once."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["map_ahead"]

MOST = 8
"""The most threads: what each of them holds may be large."""

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(
    function: Callable[[T], R], items: Iterable[T], begin: Callable[[], object] | None = None
) -> Iterator[R]:
    """Yield a function's result for each item, in order; an error is raised when its turn comes.

    Up to twice as many results as there are threads are computed ahead. Each thread calls `begin`
    first. If the caller stops early, calls that have not begun are cancelled.
    """
    threads = min(os.cpu_count() or 1, MOST)
    waiting = deque[Future[R]]()
    pool = ThreadPoolExecutor(threads, initializer=begin)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
