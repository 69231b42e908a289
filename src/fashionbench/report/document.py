"""The public format of results.json: a comparison as plain data, every field explained.

The text below a field is its description, which docs/results-json.md repeats. A number that cannot
be told is null: no JSON says infinite, or not a number.
"""

from typing import Literal

from fashionbench.report.part import Known, Part
from fashionbench.report.tuning_document import TuningSummary
from fashionbench.stats.verdict import Unit, Word
from fashionbench.store.records import Engine, Outcome

__all__ = [
    "Document",
    "EntrySummary",
    "ExcludedImages",
    "NumberSummary",
    "PairSummary",
    "ProbabilitiesSummary",
    "RatioSummary",
    "RunSummary",
    "SecondsSummary",
    "SplitsDifference",
    "SplitsSummary",
]


class NumberSummary(Part):
    """A number over several runs: those in which it is known and finite."""

    mean: float | None
    """Mean over the runs, or over the studies where several tuned; null where none counts."""
    sd: float | None
    """Sample standard deviation over the runs (n - 1); null for fewer than two."""
    low: float | None
    """Lower end of the 95 % interval of the mean: a t interval, for fractions on the scale of
    logits, so that it stays between 0 and 1; null for fewer than two runs, or if all are equal."""
    high: float | None
    """Upper end of that interval."""
    n: int
    """The number of runs that count."""


class SecondsSummary(NumberSummary):
    """The training times of the runs that were alone on their device."""

    median: float | None
    """Median over the runs; null where none was timed."""


class RatioSummary(Part):
    """How many times as long the first entry of a pair trains as the second."""

    ratio: float
    """Ratio of the geometric means of their training times."""
    low: float
    """Lower end of its 95 % interval (Welch, on logarithms)."""
    high: float
    """Upper end of that interval."""


class SplitsSummary(Part):
    """A number over splits dealt anew from all images, each with the mean over its runs."""

    mean: float
    """Mean over the splits."""
    sd: float
    """Sample standard deviation of the splits' own means."""
    low: float
    """Lower end of the 95 % interval for other seeds, other images and other splits (corrected for
    what splits of one pool have in common, Nadeau and Bengio 2003)."""
    high: float
    """Upper end of that interval."""
    n: int
    """The number of splits."""


class SplitsDifference(SplitsSummary):
    """The difference of a pair over splits dealt anew, a minus b."""

    p_value: float | None
    """Two-sided p-value of no difference for other seeds, images and splits, adjusted for the
    number of pairs (Holm); null where all splits gave the same."""


class ExcludedImages(Part):
    """The test images that an audit doubts, without which accuracies are told too."""

    file: str
    """The audit's file, as it was named."""
    images: int
    """How many test images are left out."""
    by_reason: dict[str, int]
    """How many stand under each reason; an image may stand under several."""


class LeftOut(Part):
    """A model that was asked for and has no row."""

    name: str
    """What it is called, with its recipe where others of its recipes have a row."""
    fault: str
    """Why it cannot be compared."""


class OutcomeCounts(Part):
    """How the runs of an entry ended."""

    ok: int
    """Runs that learned."""
    collapsed: int
    """Runs that predict one class for every test image."""
    diverged: int
    """Runs whose loss became infinite or not a number."""


class RunSummary(Part):
    """One run: a model trained by a recipe from one seed."""

    seed: int
    """The seed of first weights, order of the images, augmentation and dropout, or of the one
    that `vary` names."""
    accuracy: float
    """Fraction of the test images that are classified correctly."""
    loss: Known
    """Mean cross-entropy of the test images in nats; null where the run diverged."""
    macro_f1: float
    """Mean over classes of the F1 score, on the test images."""
    calibration_error: float
    """Expected calibration error on the test images, in 15 bins of equal width."""
    validation_accuracy: float | None
    """Fraction of the validation images that the tested weights classify correctly; null where
    the recipe holds out none."""
    train_seconds: float | None
    """Wall-clock time of the training loop; null where the run was not alone on its device."""
    engine: Engine
    """What computed the steps of training: "torch", or "kernels" for fashionbench's own in C."""
    epochs: int
    """Epochs that were run; fewer than asked for where training diverged or stopped early."""
    best_epoch: int | None
    """The epoch whose weights were restored and tested; null where they are those of the last."""
    outcome: Outcome
    """"ok", "collapsed" (one class predicted for every test image) or "diverged" (the loss became
    infinite or not a number)."""
    dead_classes: list[str]
    """Classes that the run predicts for no test image."""
    tied_images: int | None = None
    """Test images on which several classes share the largest logit, of which scores and lists take
    the first; null in older records."""
    accuracy_by_chance: float | None = None
    """The accuracy expected if one of those classes were drawn instead; null in older records."""
    accuracy_by_last: float | None = None
    """The accuracy if the last of those classes were taken; null in older records."""
    accuracy_one_by_one: float | None
    """Accuracy on test images shown one at a time; null unless the model's answer to an image
    depends on the images beside it."""
    remarks: list[str]
    """The kinds of remarks that were made about the model, such as "batch"."""


class EntrySummary(Part):
    """A row of the table: a model, a recipe, and their runs."""

    model: str
    """The model as it was asked for: a key of the table of models, or FILE.py:NAME."""
    recipe: str
    """The name of the recipe, with the settings that were changed."""
    label: str
    """The name of the model's class."""
    name: str = ""
    """What tables and plots call the row, the shortest name that tells it apart."""
    first_place: int = 1
    """The best place by accuracy that the verdicts leave to it: 1, and one more for every row that
    is better."""
    last_place: int | None = None
    """The worst place that they leave to it; null in older files."""
    parameters: int
    """The number of the model's parameters."""
    flops_per_image: int | None
    """Floating-point operations of the forward pass for one image; null where they cannot be
    counted."""
    accuracy: NumberSummary
    """Test accuracy, as a fraction."""
    loss: NumberSummary
    """Mean cross-entropy of the test images, in nats."""
    validation_accuracy: NumberSummary
    """Accuracy on the validation images, of the runs that hold some out."""
    macro_f1: NumberSummary
    """Mean over classes of the F1 score."""
    calibration_error: NumberSummary
    """Expected calibration error."""
    train_seconds: SecondsSummary
    """Seconds in the training loop, of the runs that were alone on their device."""
    test_set_error: float
    """Standard error of the mean accuracy over other test sets of this size, for these runs."""
    expected_sd: float | None
    """The standard deviation of accuracy over seeds, if runs differed only by chance in which
    images they get right; null for one run."""
    outcomes: OutcomeCounts
    """How many runs ended in each way."""
    dead_classes: list[str]
    """Classes that one or more of the runs predict for no test image."""
    accuracy_without_excluded: NumberSummary | None = None
    """Test accuracy without the images that an audit doubts; null where none was given. All other
    numbers are of all test images."""
    over_splits: SplitsSummary | None = None
    """Test accuracy on splits dealt anew, as a fraction; null where none were asked for. All other
    numbers are of the official split."""
    vote_accuracy: float | None = None
    """The fraction of test images that a majority vote of all runs classifies correctly, the first
    class counting where several have as many votes; null for fewer than three runs."""
    accuracy_one_by_one: NumberSummary
    """Accuracy on test images shown one at a time, of the runs in which that differs."""
    same_first_weights: bool
    """Whether all seeds are known to begin with the same weights."""
    notes: list[str]
    """What a reader must know of this row, in a word or two each."""
    runs: list[RunSummary]
    """The finished runs, in the order of their seeds."""


class ProbabilitiesSummary(Part):
    """How probable it is that a is better than b, for other seeds and other test images.

    It is about this pair alone. The three add up to 1.
    """

    better: float
    """That a is better by more than the smallest difference of interest."""
    within: float
    """That the two differ by less than that."""
    worse: float
    """That a is worse by more than that."""


class PairSummary(Part):
    """Two entries, and what their runs say of the difference between them."""

    a: str
    """The first entry."""
    b: str
    """The second entry."""
    difference: float
    """Mean accuracy of a minus that of b, over the seeds that both have finished."""
    low: Known
    """Lower end of the 95 % interval of the difference, for other seeds and other test images."""
    high: Known
    """Upper end of that interval."""
    verdict_low: Known = None
    """Lower end of the interval that the verdict is read from and the report shows: adjusted for
    the number of pairs, for other seeds, and for other test images too where the verdict holds for
    these; null where the seeds are too few to tell."""
    verdict_high: Known = None
    """Upper end of that interval."""
    probabilities: ProbabilitiesSummary | None = None
    """How probable it is that a is better or worse by more than `smallest_difference`, or neither;
    null where the seeds are too few to tell."""
    seeds_low: Known
    """Lower end of the 95 % interval of the difference, for other seeds on these test images."""
    seeds_high: Known
    """Upper end of that interval."""
    limit: Known
    """The largest difference, in either direction, that is possible for other seeds on these test
    images: at 95 % for all pairs together."""
    limit_other_test_images: Known
    """The same, for other seeds and other test images."""
    sd: float | None
    """Sample standard deviation of the differences between runs of one seed; null for one seed."""
    p_value: float | None
    """Two-sided p-value of no difference for other seeds on these test images, adjusted for the
    number of pairs (Holm); null where the seeds are too few to tell."""
    p_value_other_test_images: float | None
    """The same, for other seeds and other test images."""
    probability_a_beats_b: float | None
    """How probable it is that a run of a is more accurate than a run of b, each from a seed of its
    own; null for one seed."""
    n: int
    """The number of seeds that both have finished, or of studies."""
    unit: Unit = "seeds"
    """What `n`, `sd` and `seeds_needed` are of: "studies" where several tuned on their own."""
    given_settings: bool = False
    """Whether the verdict is about tuned settings without the luck of having chosen them."""
    verdict: Word
    """What follows for a: "better", "worse", "no difference" or "not decided"."""
    in_words: str
    """The verdict as the report words it, with its limits."""
    seeds_needed: int | None
    """Of "not decided": about how many seeds, or studies, would decide; null where that is
    unknown, or more than a million."""
    holds_for_other_test_images: bool
    """Whether other test images can be expected to give the same verdict."""
    holds_for_other_first_weights: bool
    """Whether seeds began with different weights, so that the verdict is about others too."""
    holds_for_other_orders: bool = True
    """Whether seeds saw the images in different orders, so that the verdict is about others too."""
    over_splits: SplitsDifference | None = None
    """The difference on splits dealt anew; null where none were asked for."""
    holds_for_other_splits: bool | None = None
    """Whether other splits of the images can be expected to give the same verdict; null where none
    were asked for."""
    mcnemar_p_value: float | None
    """Where each has one run: two-sided p-value of the two networks being right equally often."""
    time_ratio: RatioSummary | None
    """Training time of a over that of b; null where fewer than two runs of either were timed."""


class Document(Part):
    """A comparison, as results.json holds it and `--json` prints it.

    Accuracies are fractions, losses are in nats, times in seconds.
    """

    format: Literal[1] = 1
    """The version of this format. It is raised when a field changes its name or meaning."""
    dataset: str
    """The data set: a key of the table of data sets, or a folder."""
    command: str
    """What gives the same comparison again."""
    channels: int = 1
    """Channels of the images that networks are shown: 1 for grey, 3 for color."""
    size: int = 28
    """Pixels a side of these images."""
    device: str
    """The kind of device of the first run: cpu, cuda or mps."""
    threads: int
    """The number of threads that torch used on the CPU."""
    versions: dict[str, str]
    """Versions by name: torch, numpy, python, fashionbench."""
    processor: str
    """The model of the processor."""
    seeds: list[int]
    """The seeds that were asked for."""
    vary: str = "all"
    """What differs between seeds: "all" that is random, or "weights" (the first ones), "order" (of
    the images) or "augmentation" alone, while everything else random is that of seed 0."""
    splits: int | None = None
    """How many splits were dealt anew beside the official one; null where none."""
    excluded: ExcludedImages | None = None
    """What `--exclude` leaves out of a second accuracy; null where it was not given."""
    until: float | None
    """The difference of accuracies down to which seeds were added until each pair was decided;
    null where their number was fixed."""
    smallest_difference: float = 0.01
    """The smallest difference of accuracies that is of interest: `until`, else one point. The
    verdict "no difference" and the probabilities of pairs are told by it."""
    entries: list[EntrySummary]
    """The rows of the table."""
    left_out: tuple[LeftOut, ...] = ()
    """The models that were asked for and cannot be compared; the exit code of `compare` is then
    1."""
    pairs: list[PairSummary]
    """Every two entries that have finished seeds in common; where entries were tuned, those as they
    are with each other, those tuned with each other, and each tuned one with itself as it is."""
    tuning: TuningSummary | None = None
    """How entries were tuned; null where all recipes are taken as they are."""
