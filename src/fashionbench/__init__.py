"""Compare image classifiers honestly and fast.

    import fashionbench as fb

    result = fb.compare(models=["v0", "v2"], seeds=5)
    data = fb.load_data()
    model = fb.build_model("v2", seed=0)
    fb.fit(model, data.train, "default", seed=0)
    fb.evaluate(model, data.test).accuracy

Names are imported when they are first used, so that `import fashionbench` is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fashionbench.config.recipe import Recipe, load_recipe
    from fashionbench.data.datasets import load_data
    from fashionbench.data.split import Dataset, Split
    from fashionbench.errors import FashionbenchError
    from fashionbench.experiments.audit.auditing import Audit, audit
    from fashionbench.experiments.comparison import compare
    from fashionbench.experiments.result import Result, load_result
    from fashionbench.inference.predictor import Prediction, Predictor, load_predictor, predict
    from fashionbench.models.build import build_model
    from fashionbench.models.checkpoint import load_model
    from fashionbench.stats.metrics import Scores
    from fashionbench.training.evaluation import evaluate
    from fashionbench.training.history import History
    from fashionbench.training.loop import fit

_HOME = {
    "Audit": "experiments.audit.auditing",
    "Dataset": "data.split",
    "FashionbenchError": "errors",
    "History": "training.history",
    "Prediction": "inference.predictor",
    "Predictor": "inference.predictor",
    "Recipe": "config.recipe",
    "Result": "experiments.result",
    "Scores": "stats.metrics",
    "Split": "data.split",
    "audit": "experiments.audit.auditing",
    "build_model": "models.build",
    "compare": "experiments.comparison",
    "evaluate": "training.evaluation",
    "fit": "training.loop",
    "load_data": "data.datasets",
    "load_model": "models.checkpoint",
    "load_predictor": "inference.predictor",
    "load_recipe": "config.recipe",
    "load_result": "experiments.result",
    "predict": "inference.predictor",
}

__all__ = [
    "Audit",
    "Dataset",
    "FashionbenchError",
    "History",
    "Prediction",
    "Predictor",
    "Recipe",
    "Result",
    "Scores",
    "Split",
    "audit",
    "build_model",
    "compare",
    "evaluate",
    "fit",
    "load_data",
    "load_model",
    "load_predictor",
    "load_recipe",
    "load_result",
    "predict",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # takes longer than the rest of this file

        return version("fashionbench")
    if name not in _HOME:
        raise AttributeError(f"module 'fashionbench' has no attribute {name!r}")
    module = importlib.import_module(f"fashionbench.{_HOME[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return __all__
