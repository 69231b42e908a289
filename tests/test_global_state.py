"""What a person's code sets for the whole process is put back; what it draws follows a seed."""

import os
import random
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import PATIENCE

from fashionbench.core.global_state import generator_states, preserved, seeded, silent

SWITCHES: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "default type": (
        lambda: torch.set_default_dtype(torch.float64),
        torch.get_default_dtype,
    ),
    "gradients": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "products of matrices": (
        lambda: torch.set_float32_matmul_precision("medium"),
        torch.get_float32_matmul_precision,
    ),
    "determinism": (
        lambda: torch.use_deterministic_algorithms(True),
        torch.are_deterministic_algorithms_enabled,
    ),
    "anomalies": (
        lambda: torch.autograd.set_detect_anomaly(True, check_nan=False),
        torch.is_anomaly_enabled,
    ),
    "threads": (lambda: torch.set_num_threads(3), torch.get_num_threads),
    "attention": (
        lambda: torch.backends.mha.set_fastpath_enabled(False),
        torch.backends.mha.get_fastpath_enabled,
    ),
    "device": (lambda: torch.set_default_device("meta"), torch.get_default_device),
    "cudnn": (
        lambda: setattr(torch.backends.cudnn, "benchmark", True),
        lambda: torch.backends.cudnn.benchmark,
    ),
    "errors of numpy": (lambda: np.seterr(all="raise"), np.geterr),
    "warnings": (lambda: warnings.simplefilter("ignore"), lambda: warnings.filters[:]),
    "folder": (lambda: os.chdir("/"), Path.cwd),
    "path": (lambda: sys.path.insert(0, "/nowhere"), lambda: sys.path[:]),
    "torch's generator": (lambda: torch.manual_seed(3), lambda: torch.get_rng_state().tolist()),
    "python's generator": (lambda: random.seed(3), random.getstate),
    "numpy's generator": (
        lambda: np.random.seed(3),
        lambda: np.random.get_state()[1].tolist(),  # type: ignore[index]
    ),
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("what", SWITCHES)
def test_all_that_is_set_within_is_as_before(what: str) -> None:
    change, look = SWITCHES[what]
    before = look()
    with preserved():
        change()
        assert look() != before
    assert look() == before


def test_it_is_put_back_after_an_error_too() -> None:
    def fail() -> None:
        with preserved():
            torch.set_default_dtype(torch.float64)
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()
    assert torch.get_default_dtype() == torch.float32


def test_what_is_drawn_within_follows_the_seed_and_leaves_no_trace() -> None:
    def draw() -> list[float]:
        return [random.random(), float(np.random.rand()), float(torch.rand(()))]

    before = [generator_states(), torch.get_rng_state().tolist()]
    drawn = []
    for seed in (2**62, 2**62, 5):
        with seeded(seed):
            drawn.append(draw())
    assert drawn[0] == drawn[1]
    assert all(a != b for a, b in zip(drawn[0], drawn[2], strict=True))
    assert [generator_states(), torch.get_rng_state().tolist()] == before


def test_who_draws_is_told_by_library() -> None:
    before = generator_states()
    with preserved():
        random.random()
        assert [k for k, state in generator_states().items() if state != before[k]] == [
            "Python's random"
        ]
        np.random.rand()
        assert all(state != before[k] for k, state in generator_states().items())


def test_what_is_looked_at_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with silent():
        print("a summary of the net")  # noqa: T201
    assert capsys.readouterr().out == ""


def test_after_the_silence_of_two_threads_printing_is_as_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    inside, over = threading.Event(), threading.Event()

    def silent_for_longer() -> None:
        with silent():
            inside.set()
            over.wait(PATIENCE)

    other = threading.Thread(target=silent_for_longer)
    with silent():
        other.start()
        inside.wait(0.2)
    over.set()
    other.join()
    print("again")  # noqa: T201
    assert capsys.readouterr().out == "again\n"
