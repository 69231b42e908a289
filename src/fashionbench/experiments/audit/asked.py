"""How thoroughly an audit is to be done."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fashionbench.config.validated import Validated, Whole

__all__ = ["Asked"]


def _none_or_several(deals: int) -> int:
    if deals < 0 or deals == 1:
        raise ValueError("there are 0, or at least 2 to have a spread")
    return deals


class Asked(Validated):
    """What is asked of an audit, beside the models that judge."""

    folds: Whole = Field(10, ge=0)
    """Parts of the training images; 0 trains nothing."""
    deals: Annotated[Whole, AfterValidator(_none_or_several)] = 20
    """Splits dealt anew that a judge is trained on."""
    split: Literal["official", "grouped"] = "official"
    """Whether a split that keeps doubles together is written."""
