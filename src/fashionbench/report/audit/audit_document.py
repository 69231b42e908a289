"""The public format of audit.json: what is doubtful about a data set, every field explained.

Positions count from 0 in the order of the data set's files, in training and test images each.
"""

from typing import Literal

from fashionbench.report.part import Part

__all__ = [
    "AuditDocument",
    "ClassScores",
    "DealPlace",
    "DistanceCount",
    "DoubleCount",
    "DoublePair",
    "DoublesFound",
    "ErrorFloor",
    "GroupedSplit",
    "ImagePlace",
    "JudgeOnParts",
    "JudgeSummary",
    "LabelCount",
    "LabelsFound",
    "PartScores",
    "PositionTest",
    "SplitFound",
    "Suspect",
    "TellingApart",
]

Split = Literal["train", "test"]
Where = Literal["within train", "within test", "across"]
Kind = Literal["exact", "mirrored", "near"]


class ImagePlace(Part):
    """An image of the data set."""

    split: Split
    """The part of the data set that it belongs to."""
    position: int
    """Its position there, counted from 0."""
    label: str
    """The class that the data set gives it."""
    file: str | None
    """The picture's file within the folder; null where files hold many images."""


class DoublePair(Part):
    """Two images that are one, or nearly so."""

    a: ImagePlace
    """The first image."""
    b: ImagePlace
    """The second image."""
    kind: Kind
    """"exact" for the same pixels, "mirrored" for those of a mirror image, else "near"."""
    distance: float
    """Root of the mean squared difference of grey levels, 0 to 255, in color of red, green and blue
    each, over the pixels that both have."""
    down: int
    """Pixels by which the first is moved down to match the second; negative is up."""
    right: int
    """Pixels by which the first is moved to the right, after it is mirrored if it is."""
    is_mirrored: bool
    """Whether the first has to be mirrored to match the second."""


class DoubleCount(Part):
    """How many pairs there are of a kind, in a part of the data set."""

    kind: Kind
    """What the pairs are."""
    where: Where
    """Whether both images are for training, both for testing, or one for each."""
    same_label: int
    """Pairs whose images have the same label."""
    other_label: int
    """Pairs whose images have different labels."""


class DistanceCount(Part):
    """How many pairs are so far apart, in a step of one grey level."""

    above: float
    """Lower end of the step."""
    up_to: float
    """Upper end of the step."""
    same_label: int
    """Pairs whose images have the same label."""
    other_label: int
    """Pairs whose images have different labels."""


class DoublesFound(Part):
    """The doubles of a data set."""

    threshold: float
    """Grey levels up to which a pair counts as double."""
    limit: float
    """Grey levels up to which all pairs were searched for."""
    counts: list[DoubleCount]
    """Pairs by kind and place."""
    distances: list[DistanceCount]
    """All pairs up to the limit by their distance."""
    images: int
    """Images that have a double."""
    groups: int
    """Groups of images that are linked by pairs."""
    largest_group: int
    """Images in the largest of them; 0 where there is none."""
    test_images_known: int
    """Test images that have a double among the training images."""
    pairs: list[DoublePair]
    """The pairs, nearest first; at most 10,000 of them."""


class JudgeSummary(Part):
    """A model that judged the images, and how well it does."""

    model: str
    """The model as it was asked for."""
    recipe: str
    """The recipe that it was trained by."""
    folds: int
    """Folds that the training images were dealt into."""
    seeds: list[int]
    """Seeds from which it was trained for every fold."""
    train_accuracy: float
    """Mean over seeds of the accuracy on all training images, each by the model that did not see
    it."""
    test_accuracy: float
    """Mean accuracy on the test images over all its models, which are the same ones."""
    test_accuracy_without: float
    """The same without the test images whose label consensus doubts."""


class Suspect(Part):
    """An image with a doubtful label, which may be wrong."""

    image: ImagePlace
    """The image, with the label that it has."""
    seems: str
    """The class that most runs call it, of the others."""
    probability: float
    """What the runs together give its label, from 0 to 1."""
    disagreeing: float
    """Share of the runs that disagree with its label: they call the image another class."""
    is_consensus: bool
    """Whether consensus doubts its label: at least 99 % of the runs disagree with it."""
    is_confident: bool
    """Whether confident learning doubts its label."""


class LabelCount(Part):
    """How many labels are doubtful in a part of the data set."""

    split: Split
    """The part of the data set."""
    images: int
    """Its images."""
    runs: int
    """Runs that called each of its images."""
    confident: int
    """Suspects of confident learning."""
    consensus: int
    """Suspects of consensus."""
    both: int
    """Suspects of both."""


class ErrorFloor(Part):
    """The accuracy that is out of reach if the test labels that consensus doubts are wrong."""

    share: float
    """Share of the test images."""
    low: float
    """Lower end of its 95 % interval (Wilson), for other test images of the same kind."""
    high: float
    """Upper end of that interval."""


class LabelsFound(Part):
    """The doubtful labels of a data set."""

    judges: list[JudgeSummary]
    """The models that judged."""
    counts: list[LabelCount]
    """Suspects counted, of training and test images."""
    noise: list[list[float]]
    """Estimated by confident learning from the training images: of those that are truly the row's
    class, the share that has the column's label."""
    floor: ErrorFloor
    """The accuracy that is out of reach."""
    suspects: list[Suspect]
    """Test images first; of each part those that both consensus and confident learning doubt, then
    others, the least probable label first. At most 10,000 of a part."""


class PartScores(Part):
    """What the same models score on training images that they did not see, and on test images."""

    train: float
    """On the training images, out of fold: mean over images and seeds."""
    test: float
    """On the test images: mean over images and all models."""
    difference: float
    """The second less the first."""
    low: float
    """Lower end of the difference's 95 % interval, for other images in both parts."""
    high: float
    """Upper end of that interval."""


class ClassScores(Part):
    """Accuracies of a class."""

    label: str
    """The class."""
    accuracy: PartScores
    """Accuracy in both parts."""


class JudgeOnParts(Part):
    """A judge on both parts of the data set."""

    model: str
    """The model as it was asked for."""
    accuracy: PartScores
    """Accuracy in both parts."""
    loss: PartScores
    """Cross-entropy in nats in both parts."""
    classes: list[ClassScores]
    """Accuracy by class."""


class DealPlace(Part):
    """A number on the official split, among those on splits dealt anew from all images."""

    what: str
    """What is told: the accuracy of a judge, or a distance."""
    official: float
    """On the official split."""
    mean: float
    """Mean over the deals."""
    sd: float
    """Sample standard deviation over the deals."""
    low: float
    """Between this and the next lie 95 % of the deals."""
    high: float
    """The upper end of that range."""
    share_below: float
    """Share of the deals whose number is lower than the official one; of equal ones half counts."""
    deals: int
    """Splits dealt anew: each class keeps its number of test images."""


class TellingApart(Part):
    """How well a judge tells test images from training images; 0.5 is not at all."""

    model: str
    """The model as it was asked for."""
    auc: float
    """Chance that a test image gets a higher score than a training image."""
    low: float
    """Lower end of its 95 % interval (DeLong)."""
    high: float
    """Upper end of that interval."""
    images: int
    """Images that were told apart, half of them test images."""


class PositionTest(Part):
    """Whether something changes along the file: its means by tenth of the file, and a test."""

    what: str
    """What is told."""
    split: Split
    """The part of the data set."""
    tenths: list[float]
    """Mean in each tenth of the file, from the first to the last."""
    p_value: float
    """How often chance alone would make the tenths differ as much."""


class SplitFound(Part):
    """How the split into training and test images was made, by all that shows."""

    judges: list[JudgeOnParts]
    """What each judge scores in both parts; empty where none was trained."""
    deals: list[DealPlace]
    """Where the official split lies among splits dealt anew."""
    telling: TellingApart | None
    """Whether a judge tells the parts apart; null where none was trained."""
    positions: list[PositionTest]
    """Whether the position in the file tells anything."""


class GroupedSplit(Part):
    """What the split that keeps doubles together, as split.csv lists it, changes."""

    to_train: int
    """Test images that become training images."""
    to_test: int
    """Training images that become test images."""


class AuditDocument(Part):
    """An audit, as audit.json holds it and `--json` prints it."""

    format: Literal[1] = 1
    """The version of this format. It is raised when a field changes its name or meaning."""
    dataset: str
    """What was audited: a key of the table of data sets, or a folder."""
    title: str
    """What tables and plots call it."""
    digests: dict[str, str]
    """SHA-256 of the images and labels of "train" and "test": other digests are other data."""
    command: str
    """What gives the same audit again."""
    channels: int
    """Of the images as they were audited: 1 for grey, 3 for color."""
    size: int
    """Pixels a side of these images."""
    classes: list[str]
    """The classes, in the order of their labels."""
    train_images: int
    """The number of training images."""
    test_images: int
    """The number of test images."""
    notes: list[str]
    """What a reader must know of the data set's pictures."""
    device: str
    """The kind of device: cpu, cuda or mps."""
    threads: int
    """The number of threads that torch used on the CPU."""
    versions: dict[str, str]
    """Versions by name: torch, numpy, python, fashionbench."""
    processor: str
    """The model of the processor."""
    seconds: dict[str, float]
    """Wall-clock seconds of each part of the audit."""
    doubles: DoublesFound
    """Images that are there twice."""
    labels: LabelsFound | None
    """Doubtful labels; null where no models were trained (--folds 0)."""
    split: SplitFound
    """How lucky the split is."""
    grouped: GroupedSplit | None = None
    """The split that split.csv lists; null where none was asked for."""
    doubtful_test_images: dict[str, list[int]]
    """Positions of doubtful test images, by reason: "label" where consensus doubts the label,
    "double" where there is a double among the training images. `compare --exclude` scores without
    them."""

    def to_json(self) -> str:
        """Return the text of audit.json."""
        return self.model_dump_json(indent=1) + "\n"
