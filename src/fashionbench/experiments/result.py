"""A comparison in a person's hands: it shows itself, and gives out its models and predictions."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fashionbench.core.files import as_path
from fashionbench.errors import UsageError
from fashionbench.experiments.cluster.inbox import take_in_if_idle
from fashionbench.report.comparison import Comparison
from fashionbench.report.warnings import find_warnings

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure
    from torch import nn

__all__ = ["Confusion", "Predictions", "Result", "load_result"]


@dataclass(frozen=True, repr=False, eq=False)
class Predictions:
    """What the S runs of a model made of the N test images."""

    seeds: tuple[int, ...]
    """(S,) the seeds of the runs, which are the rows below."""
    labels: NDArray[np.uint8]
    """(S, N) the index of the class that a run calls an image."""
    losses: NDArray[np.float32]
    """(S, N) the cross-entropy of an image, in nats."""

    def __repr__(self) -> str:
        return f"Predictions(seeds={[*self.seeds]}, {self.labels.shape[1]:,} images)"


@dataclass(frozen=True, repr=False, eq=False)
class Confusion:
    """How often each of K classes is called each: a row a true class, a column a predicted one."""

    classes: tuple[str, ...]
    counts: NDArray[np.float64]
    """(K, K) test images, averaged over runs."""

    def __repr__(self) -> str:
        return f"Confusion({', '.join(self.classes)})"

    def count(self, true: str, predicted: str) -> float:
        """Return how many images of one class are called the other, by their names."""
        for name in (true, predicted):
            if name not in self.classes:
                raise UsageError(
                    f"There is no class {name!r}; there are {', '.join(self.classes)}."
                )
        return float(self.counts[self.classes.index(true), self.classes.index(predicted)])

    def to_pandas(self) -> "pandas.DataFrame":
        """Return it as a frame with the classes' names. Needs pandas."""
        import pandas

        return pandas.DataFrame(self.counts, self.classes, self.classes)


class Result(Comparison):
    """A finished comparison. In a notebook it shows headline, tables, warnings and plots."""

    # What draws and loads is imported when it is asked for: a finished comparison is printed
    # without torch and matplotlib.

    def load_model(self, model: str | type, seed: int, recipe: str | None = None) -> "nn.Module":
        """Load the trained model of one run, in eval mode on the CPU.

        `recipe` is needed where the comparison has several. Raises UsageError for a model,
        recipe or seed that is not in it, and StoreError if the weights cannot be loaded.
        """
        from fashionbench.models.checkpoint import checkpoint_path, load_model

        run = self.find_entry(model, recipe).find_run(seed)
        return load_model(checkpoint_path(self.folder, run.job, run.device))

    def predictions(self, model: str | type, recipe: str | None = None) -> Predictions:
        """Return what each run of a model predicts for the test images, for your own statistics.

        The images and their true labels are in `test_set`. `recipe` is needed where the comparison
        has several. Raises UsageError for a model or recipe that is not in it.
        """
        runs = self.find_entry(model, recipe).runs
        return Predictions(
            seeds=tuple(run.job.seed for run in runs),
            labels=np.stack([run.predicted for run in runs]),
            losses=np.stack([run.losses for run in runs]),
        )

    @property
    def warnings(self) -> list[str]:
        """What you must know before believing the table; a sentence each."""
        return find_warnings(self)

    def figure(self, name: str, model: str | type | None = None) -> "Figure":
        """Draw one of the report's plots, of all models or of one, as a matplotlib figure.

        They are differences, accuracies, curves, time, pareto, confusion, reliability, classes,
        flips and hard. Where entries were tuned, there are search and tuning-curves too. Without a
        model, confusion is that of the most accurate one. Raises UsageError for another name.
        """
        from fashionbench.report.figures import draw_figure

        return draw_figure(self, name, model)

    def table(self, form: str = "markdown") -> str:
        """Return the table as text to take away: latex (for booktabs), markdown or csv.

        Raises UsageError for another form.
        """
        from fashionbench.report.tables import format_table

        return format_table(self, form)

    def confusion(self, model: str | type, recipe: str | None = None) -> Confusion:
        """Return the confusion matrix of a model, averaged over its runs, with the classes' names.

        `recipe` is needed where the comparison has several. Raises UsageError for a model or
        recipe that is not in it.
        """
        runs = self.find_entry(model, recipe).runs
        counts = np.mean([run.scores.confusion for run in runs], axis=0)
        return Confusion(self.test_set.classes, counts)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a row for each run. Needs pandas."""
        import pandas

        rows = []
        for entry in self.document.entries:
            about = entry.model_dump(include={"model", "recipe", "label", "parameters"})
            rows += [about | run.model_dump() for run in entry.runs]
        return pandas.DataFrame(rows)

    def _repr_html_(self) -> str:
        from fashionbench.report.page import render_notebook

        return render_notebook(self)


def load_result(folder: Path | str) -> Result:
    """Load the last comparison of a run folder, as far as its runs are finished.

    What workers have left in its inbox is taken in, unless a command is at work there. Raises
    StoreError if the folder holds none, or none of its runs is finished.

    Examples:
        >>> result = fb.load_result("runs/silhouettes")
    """
    folder = as_path("folder", folder)
    take_in_if_idle(folder)
    return Result.load(folder)
