"""A model's name and a file of weights, `v2:weights=FILE` -> the trained model, for pictures."""

from pathlib import Path

from torch import nn

from fashionbench.config.model_spec import ModelSpec
from fashionbench.config.recipe import load_recipe
from fashionbench.config.study import Job
from fashionbench.data.datasets import DATASETS
from fashionbench.models.build import build_model
from fashionbench.models.cost import count_parameters
from fashionbench.models.facts import ModelFacts
from fashionbench.models.identity import identify
from fashionbench.models.table import model_entry

__all__ = ["load_own_weights", "parse_own_weights"]

DATASET = "fashion-mnist"
"""A bare file says nothing of its classes; those of another data set are known to a comparison."""


def parse_own_weights(where: Path | str | None) -> ModelSpec | None:
    """Return the model that is meant together with its file; None where a path is meant."""
    spec = ModelSpec.parse(str(where))
    return None if spec.weights is None or Path(str(where)).exists() else spec


def load_own_weights(spec: ModelSpec) -> tuple[nn.Module, ModelFacts]:
    """Build the model with the weights of its file, in eval mode, and tell what is known of it.

    Raises UsageError for a file that does not hold all of the model.
    """
    classes = DATASETS[DATASET].classes
    spec, source = identify(spec, len(classes))
    model = build_model(str(spec), classes=len(classes), whole=True).eval()
    job = Job(
        model=str(spec),
        model_source=str(source),
        recipe=load_recipe("scored"),
        seed=0,
        dataset=DATASET,
    )
    facts = ModelFacts(
        job=job,
        label=model_entry(spec).label,
        classes=classes,
        parameters=count_parameters(model),
        environment={"versions": {}},
    )
    return model, facts
