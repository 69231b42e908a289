"""What cannot be asked of an audit is refused in a sentence."""

import pytest

from fashionbench.errors import UsageError
from fashionbench.experiments.audit.asked import Asked


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"folds": True}, "audit: folds is True, but should be a whole number"),
        ({"folds": -1}, "audit: folds is -1, but should be greater than or equal to 0"),
        ({"deals": 1}, "audit: deals is 1, but there are 0, or at least 2 to have a spread"),
        ({"split": "random"}, "audit: split is 'random', but should be 'official' or 'grouped'"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Asked.checked(wrong, "audit")


def test_nothing_trained_and_nothing_dealt_can_be_asked() -> None:
    assert Asked.checked({"folds": 0, "deals": 0}, "audit").split == "official"
