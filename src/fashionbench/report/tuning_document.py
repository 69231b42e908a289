"""What results.json says of a tuning, every field explained."""

from fashionbench.report.part import Known, Part
from fashionbench.store.records import Outcome

__all__ = [
    "ChoiceSummary",
    "CurveSummary",
    "GainSummary",
    "RangeSummary",
    "StableSummary",
    "TunedSummary",
    "TuningRunSummary",
    "TuningSummary",
]


class RangeSummary(Part):
    """The range in which a setting was searched."""

    setting: str
    """The setting, such as "learning_rate"."""
    scale: str
    """"log" or "linear": the scale on which points are spread evenly."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""
    relative: bool
    """Whether the ends are factors of the recipe's own value."""
    widened: list[str]
    """The sides, "low" or "high", at which the range proved too small and was widened by a half."""


class ChoiceSummary(Part):
    """What one study chose."""

    study: int
    """The number of the study, from 0."""
    settings: dict[str, float | None]
    """The chosen value of each tuned setting; null where the recipe has none."""
    as_it_is: bool
    """Whether the recipe stays as it is, since no point was better by more than one standard
    error."""
    gain: Known
    """Mean validation loss of the recipe as it is minus that of the best point, from the further
    seeds; null where the seeds in which both trained are too few."""
    error: Known
    """Standard error of this gain."""


class TuningRunSummary(Part):
    """One training run of a tuning, scored on validation images."""

    study: int
    """The number of the study, from 0."""
    point: int | None
    """Which point of the search space; null for the recipe as it is."""
    stage: int
    """1 for the first seed of all points, 2 for the further seeds of the best quarter."""
    seed: int
    """The seed of the run; no run of the comparison has it."""
    settings: dict[str, float | None]
    """The tuned settings."""
    loss: Known
    """Mean cross-entropy of the validation images after the last epoch, in nats."""
    outcome: Outcome
    """"ok", "collapsed" or "diverged"; what is not ok counts as worse than any loss."""
    seconds: Known
    """Wall-clock time of training that it accounts for: its share, where runs trained together."""


class CurveSummary(Part):
    """A point of the tuning curve: the lowest validation loss that so many trials find."""

    trials: int
    """The number of points tried, from one seed each."""
    median: Known
    """Estimated median of the lowest loss."""
    low: Known
    """Lower end of the 95 % band (Lourie, Cho and He 2024); null where no end can be told."""
    high: Known
    """Upper end of that band."""


class StableSummary(Part):
    """Where a setting trains almost as well as at its best."""

    low: float
    """The lowest value tried such that all losses from it up to the best value are at most a tenth
    above the lowest."""
    high: float
    """The highest such value."""


class GainSummary(Part):
    """The accuracy of a tuned row minus that of its recipe as it is."""

    mean: float
    """Mean over the studies, or over the seeds where there is one study."""
    low: Known
    """Lower end of the 95 % interval that `in_words` is read from, as in the pairs; null where the
    recipe stays as it is, or studies or seeds are too few."""
    high: Known
    """Upper end of that interval."""
    in_words: str
    """What follows for the tuned row, with its limits."""


class TunedSummary(Part):
    """What tuning gave an entry."""

    model: str
    """The model, as in the entries."""
    recipe: str
    """The recipe as it is, as in the entries."""
    tuned: str
    """The recipe of the tuned row, as in the entries."""
    fixed: str
    """The settings that were not tuned, and so are part of what is compared."""
    choices: list[ChoiceSummary]
    """What each study chose."""
    at_edge: list[str]
    """The sides of the search space at which a choice lies, such as "learning_rate low"; beyond
    them nothing was searched."""
    gain: GainSummary
    """Tuned minus as it is."""
    sd_between_studies: Known
    """Standard deviation of accuracy between studies, without the luck of seeds; null for one
    study, or one seed a study."""
    sd_between_seeds: Known
    """Standard deviation of accuracy between runs of one study."""
    trials: int
    """Points tried, in all studies together."""
    runs: int
    """Training runs spent on them."""
    epochs: int
    """Epochs of these runs together."""
    seconds: Known
    """Wall-clock time of training that they account for; null where that is not known."""
    curve: list[CurveSummary]
    """The tuning curve over the first seeds of all points."""
    stable: StableSummary | None
    """Where the tuned setting is stable; null where several were tuned at once, or none trained."""
    tuning_runs: list[TuningRunSummary]
    """All training runs of the tuning."""


class TuningSummary(Part):
    """How the tuned rows of a comparison were tuned."""

    ranges: list[RangeSummary]
    """What was searched."""
    trials: int
    """Points for each entry, in all studies together; at most, where there was a budget."""
    studies: int
    """How many studies each chose on their own. With one, what is said of tuned rows holds for the
    settings that were chosen."""
    budget_seconds: float | None
    """Seconds that tuning was given, for all entries together; null where trials were counted."""
    order: str
    """Whether tuning changes the order of the entries, in a sentence."""
    order_changed: bool
    """Whether the order of the mean accuracies changed."""
    entries: list[TunedSummary]
    """What each entry was given, in the order of the entries."""
