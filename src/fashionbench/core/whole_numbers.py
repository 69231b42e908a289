"""What counts as a whole number where a person gives one: NumPy's do, true and text do not."""

from numbers import Integral

from fashionbench.errors import UsageError

__all__ = ["check_whole"]


def check_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Refuse a `value`, by its `name`, that is no whole number from `least` to `most`.

    Raises UsageError.
    """
    number = int(value) if not isinstance(value, bool) and isinstance(value, Integral) else None
    if number is None or number < least or (most is not None and number > most):
        allowed = f"from {least} up" if most is None else f"from {least} to {most}"
        raise UsageError(f"{name} is {value!r}, but should be a whole number {allowed}.")
