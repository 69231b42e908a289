"""Votes are counted as a plain loop counts them."""

import numpy as np

from fashionbench.stats.votes import count_votes, find_consensus, most_called, share_disagreeing


def test_votes_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    predicted, labels = rng.integers(0, 4, (30, 50)).astype(np.uint8), rng.integers(0, 4, 50)
    votes = count_votes(predicted, 4)
    disagreeing, called = share_disagreeing(votes, labels), most_called(votes, labels)
    for image, label in enumerate(labels.tolist()):
        calls = predicted[:, image].tolist()
        assert votes[image].tolist() == [calls.count(k) for k in range(4)]
        assert np.isclose(disagreeing[image], sum(call != label for call in calls) / 30)
        others = {k: calls.count(k) for k in range(4) if k != label}
        assert others[int(called[image])] == max(others.values())


def test_consensus_takes_nearly_all_runs() -> None:
    predicted = np.ones((100, 3), int)
    predicted[:1, 1] = 0
    predicted[:2, 2] = 0
    found = find_consensus(count_votes(predicted, 2), np.zeros(3, int))
    assert found.tolist() == [True, True, False]
