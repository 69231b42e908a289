"""Doubtful test images, as audit.json lists them: scores are also told without these."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from fashionbench.config.validated import Validated, Whole
from fashionbench.core.files import as_path
from fashionbench.errors import DataError, UsageError

__all__ = ["Exclusion", "load_exclusion"]

FORMAT = 1
"""Of audit.json; a file with a higher number was written by a newer fashionbench."""

Position = Annotated[Whole, Field(ge=0)]


class Exclusion(Validated):
    """Test images that a second score leaves out."""

    file: str
    """The audit's file, as it was named."""
    digest: str
    """That of the test images as they were audited: others are not meant."""
    channels: Whole = 1
    """Of the images as they were audited."""
    size: Whole = 28
    """Pixels a side of these."""
    by_reason: dict[str, tuple[Position, ...]]
    """Positions of test images by why they are doubtful; an image may stand under several."""

    @property
    def positions(self) -> list[int]:
        """Positions of the images, each once, in order."""
        return sorted({position for found in self.by_reason.values() for position in found})

    def check(self, digest: str, labels: Sequence[int]) -> None:
        """Refuse test images that the audit was not about, and lists that leave out a whole class.

        Raises DataError for the first, UsageError for the second.
        """
        if digest != self.digest:
            raise DataError(
                f"{self.file} is about other test images: those of another data set, or of this "
                "one before it changed; run fashionbench audit again."
            )
        out = set(self.positions)
        if max(out, default=-1) >= len(labels):
            raise UsageError(
                f"{self.file} names test image {max(out)}, but there are {len(labels)}, counted "
                "from 0; audit the data set again."
            )
        left = {label for position, label in enumerate(labels) if position not in out}
        if left != set(labels):
            raise UsageError(
                f"Without the images of {self.file} a class has no test images left; take some out "
                "of its lists."
            )


def load_exclusion(path: Path | str) -> Exclusion:
    """Read which test images an audit doubts. Raises UsageError for a file that does not say."""
    try:
        content = json.loads(as_path("exclude", path).read_bytes())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); name the audit.json that fashionbench "
            "audit wrote."
        ) from None
    except ValueError:
        raise UsageError(
            f"{path} is not JSON, or was cut off; name the audit.json of an audit."
        ) from None
    _check_format(path, content)
    fields = {
        "file": str(path),
        "digest": content["digests"].get("test", ""),
        "by_reason": content["doubtful_test_images"],
    } | {name: content[name] for name in ("channels", "size") if name in content}
    exclusion = Exclusion.checked(fields, str(path))
    if not exclusion.positions:
        raise UsageError(f"{path} doubts no test image, so there are none to leave out.")
    return exclusion


def _check_format(path: Path | str, content: Any) -> None:
    known = isinstance(content, dict) and isinstance(content.get("digests"), dict)
    if not known or "doubtful_test_images" not in content:
        raise UsageError(
            f"{path} is no audit: it has no digests and no doubtful_test_images; name the "
            "audit.json that fashionbench audit wrote."
        )
    if content.get("format") != FORMAT:
        raise UsageError(
            f"{path} has format {content.get('format')!r}, and this fashionbench reads {FORMAT}; "
            "audit the data set again, or update fashionbench."
        )
