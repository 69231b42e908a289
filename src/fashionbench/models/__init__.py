"""The architectures, by family, the table that names them, and how one is built and known again."""

from fashionbench.models.build import build_model
from fashionbench.models.identity import Source, identify, is_as_first_asked, is_unchanged
from fashionbench.models.table import MODELS, ModelEntry, model_entry, without_weights

__all__ = [
    "MODELS",
    "ModelEntry",
    "Source",
    "build_model",
    "identify",
    "is_as_first_asked",
    "is_unchanged",
    "model_entry",
    "without_weights",
]
