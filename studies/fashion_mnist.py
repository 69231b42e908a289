"""What is doubtful about Fashion-MNIST: doubles, labels, the split, the order of the files.

    python studies/fashion_mnist.py [--data DIR] [--models lenet,mlp:hidden_units=64,v2]

Audits the data set as `fashionbench audit` does, by three judges, and writes docs/fashion-mnist.md
with its lists of positions: docs/results/fashion-mnist.json and the pictures beside it. Folds and
deals are kept in runs/fashion-mnist-audit: stopped and started again, it goes on.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from common import DOCS, arguments, how, table, write_page
from matplotlib.figure import Figure

import fashionbench as fb
from fashionbench.report.audit.audit_document import (
    AuditDocument,
    DealPlace,
    DoublePair,
    LabelsFound,
    PartScores,
    Suspect,
)
from fashionbench.report.audit.audit_plots import Pictures, name_image, plot_distances
from fashionbench.report.numbers import format_points, pluralize

NAME = "fashion-mnist"
SHOWN = 40
"""Images and pairs on a sheet."""
PICTURED = (16691, 22264, 28264, 33982, 40513, 42018, 45592)
"""Training images with wrong labels that Müller and Markert show: in the issue 166 of
zalandoresearch/fashion-mnist, and in their repository mueller91/labelfix."""
KINDS = ("exact", "mirrored", "near")


def percent(value: float, digits: int = 2) -> str:
    return f"{100 * value:.{digits}f} %"


def points(scores: PartScores) -> str:
    """Write a difference of accuracies and its interval in points."""
    difference, low, high = map(format_points, (scores.difference, scores.low, scores.high))
    return f"{difference} ({low} to {high})"


def find_published(document: AuditDocument) -> list[int]:
    """Return the ranks, from 1, of the published wrong labels among the training suspects."""
    suspects = [s for s in found_labels(document).suspects if s.image.split == "train"]
    return [rank for rank, suspect in enumerate(suspects, 1) if suspect.image.position in PICTURED]


def without_images(document: AuditDocument) -> AuditDocument:
    """Return the audit without its pairs and suspects, of which lists hold the positions."""
    return document.model_copy(
        update={
            "labels": found_labels(document).model_copy(update={"suspects": []}),
            "doubles": document.doubles.model_copy(update={"pairs": []}),
            "seconds": {},  # of one machine on one day; benchmarks/ measures them
        }
    )


def list_positions(document: AuditDocument) -> dict[str, Any]:
    """Return the positions that others can use: of near-doubles, with distance, and of suspects."""
    suspects = found_labels(document).suspects
    return {
        "near_doubles": [
            [pair.a.split, pair.a.position, pair.b.split, pair.b.position, round(pair.distance, 2)]
            for pair in document.doubles.pairs
        ],
        "doubted_by_consensus": positions([s for s in suspects if s.is_consensus]),
        "doubted_by_confident_learning": positions([s for s in suspects if s.is_confident]),
    }


def positions(suspects: Sequence[Suspect]) -> dict[str, list[int]]:
    return {
        split: sorted(s.image.position for s in suspects if s.image.split == split)
        for split in ("train", "test")
    }


def draw_pairs(pairs: Sequence[DoublePair], pictures: Pictures) -> Figure:
    """Draw pairs side by side, each with its places, labels and distance."""
    images = [
        np.concatenate([pictures[p.split][p.position] for p in (pair.a, pair.b)], axis=1)
        for pair in pairs
    ]
    captions = [
        f"{name_image(pair.a)}\n{name_image(pair.b)}\n{pair.distance:.1f} levels" for pair in pairs
    ]
    return draw_cells(images, captions, 5)


def draw_suspects(suspects: Sequence[Suspect], pictures: Pictures) -> Figure:
    """Draw images with the label that they have and the one that they seem to have."""
    images = [pictures[s.image.split][s.image.position] for s in suspects]
    captions = [f"{s.image.position}: {s.image.label}\nseems {s.seems}" for s in suspects]
    return draw_cells(images, captions, 8)


def draw_cells(images: Sequence[Any], captions: Sequence[str], columns: int) -> Figure:
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(11, 1 + 1.75 * rows), layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False)
    for axes in cells.flat:
        axes.set_axis_off()
    for axes, image, caption in zip(cells.flat, images, captions, strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(caption, fontsize=7.5, loc="left")
    return figure


def page(document: AuditDocument, ranks: Sequence[int], made: str) -> str:
    """Write the page: answers first, then each part with its numbers."""
    return f"""# What is doubtful about Fashion-MNIST

**Answer:** {say_doubles(document)} {say_floor(document)} {say_split(document)}

{made} Every number and all positions:
[results/fashion-mnist.json](results/fashion-mnist.json). How each is found: [audit](audit.md).

{write_doubles(document)}

{write_labels(document, ranks)}

{write_split(document)}

{write_order(document)}
"""


def say_doubles(document: AuditDocument) -> str:
    doubles = document.doubles
    exact, mirrored, near = (count_pairs(document, kind=kind) for kind in KINDS)
    return (
        f"{exact} pairs of images are exactly the same and {mirrored} are mirror images; {near} "
        f"are within {doubles.threshold:g} grey levels of each other. "
        f"{doubles.test_images_known} of {document.test_images:,} test images have such a double "
        "among the training images."
    )


def count_pairs(document: AuditDocument, **wanted: str) -> int:
    return sum(
        count.same_label + count.other_label
        for count in document.doubles.counts
        if all(getattr(count, key) == value for key, value in wanted.items())
    )


def say_floor(document: AuditDocument) -> str:
    labels = found_labels(document)
    floor, runs = labels.floor, labels.counts[1].runs
    share = f"{percent(floor.share)}, 95 % interval {percent(floor.low)} to {percent(floor.high)}"
    return (
        f"{labels.counts[1].consensus} test labels ({share}) are doubtful: at least 99 % of {runs} "
        f"runs of {pluralize(len(labels.judges), 'model')} disagree with them. If they are wrong, "
        f"a model that is right about every image has an accuracy of {percent(1 - floor.share)}."
    )


def found_labels(document: AuditDocument) -> LabelsFound:
    assert document.labels is not None  # judges were asked for
    return document.labels


def say_split(document: AuditDocument) -> str:
    """Say whether the judges find the test images harder."""
    scores = [judge.accuracy for judge in document.split.judges]
    values = ", ".join(format_points(score.difference) for score in scores)
    said = f"The same models score test images {values} points against training images that they "
    apart = sum(score.high < 0 or score.low > 0 for score in scores)
    if not apart:
        return f"{said}did not see, and no interval excludes 0."
    return f"{said}did not see; {apart} of {len(scores)} intervals exclude 0 (95 %)."


def write_doubles(document: AuditDocument) -> str:
    doubles = document.doubles
    unlike = [step.above for step in doubles.distances if step.other_label]
    first = f"from {min(unlike):g} grey levels on" if unlike else "nowhere"
    steps = ", ".join(str(step.same_label + step.other_label) for step in doubles.distances)
    across = count_pairs(document, where="across")
    exact = count_pairs(document, kind="exact")
    return f"""## Doubles

![Pairs by their distance; dashed: up to here a pair is called double](results/{NAME}.png)

All {document.train_images + document.test_images:,} images were compared with each other, mirrored
or not and moved by up to two pixels. Pairs by grey level of distance, from 0 on: {steps}. Below
{doubles.threshold:g} levels their number hardly grows: these are one item, entered or photographed
twice. Beyond, it doubles with each level, and {first} labels differ: these are different items,
alike by chance.

{across} pairs have one image in the training and one in the test set. A model that knew these test
images by heart would gain at most {percent(doubles.test_images_known / document.test_images)}.

![The near-doubles, the nearest first](results/{NAME}-doubles.png)

The first release, of August 2017, had 43 exact doubles within the training images, 1 within the
test images and 10 across ([issue 44](https://github.com/zalandoresearch/fashion-mnist/issues/44)).
Today's files have {exact}."""


def write_labels(document: AuditDocument, ranks: Sequence[int]) -> str:
    labels = found_labels(document)
    counts = [
        {
            "images": count.split,
            "number": f"{count.images:,}",
            "runs that judged each": count.runs,
            "suspects by consensus": f"{count.consensus:,}",
            "by confident learning": f"{count.confident:,}",
            "by both": f"{count.both:,}",
        }
        for count in labels.counts
    ]
    judges = [
        {
            "judge": judge.model,
            "runs": judge.folds * len(judge.seeds),
            "training images, out of fold": percent(judge.train_accuracy),
            "test images": percent(judge.test_accuracy),
            "test images that consensus does not doubt": percent(judge.test_accuracy_without),
        }
        for judge in labels.judges
    ]
    return f"""## Doubtful labels

{table(counts)}

{table(judges)}

The last column is higher by construction: the judges helped to choose what is left out. The
official accuracy is the one on all test images. A doubt is no proof, and many of these images are
merely hard to tell. {SHOWN} of the test images that consensus doubts, those that confident learning
doubts too first, and of these the least probable labels:

![Test images with doubtful labels](results/{NAME}-labels.png)

{say_published(document, ranks)}"""


def say_published(document: AuditDocument, ranks: Sequence[int]) -> str:
    """Say how many of the published wrong labels the audit doubts."""
    of_train = found_labels(document).counts[0]
    suspects = of_train.consensus + of_train.confident - of_train.both
    places = f", at ranks {', '.join(map(str, ranks))}" if ranks else ""
    return (
        "Müller and Markert ([arXiv 1912.05283](https://arxiv.org/abs/1912.05283)) found 64 wrong "
        f"labels among the training images. Of the {len(PICTURED)} that they picture in public, "
        f"this audit, which did not know them, lists {len(ranks)} among its {suspects:,} "
        f"suspects{places}. Their other 57 were not compared."
    )


def write_split(document: AuditDocument) -> str:
    split = document.split
    judges = [
        {
            "judge": judge.model,
            "training images, out of fold": percent(judge.accuracy.train),
            "test images": percent(judge.accuracy.test),
            "difference, points (95 %)": points(judge.accuracy),
            "loss, training": f"{judge.loss.train:.4f}",
            "loss, test": f"{judge.loss.test:.4f}",
        }
        for judge in split.judges
    ]
    classes = [
        {"class": row.label}
        | {judge.model: points(judge.classes[k].accuracy) for judge in split.judges}
        for k, row in enumerate(split.judges[0].classes)
    ]
    apart = [
        row.accuracy.high < 0 or row.accuracy.low > 0
        for judge in split.judges
        for row in judge.classes
    ]
    return f"""## The split

The same models on training images that they did not see and on test images; nothing was chosen by
either. The intervals are for other images of the same kind.

{table(judges)}

Public notebooks show held-out training images 0.3 to 0.9 points above the test set, and call it
overfitting. Here nothing was chosen, and the difference is of that size: it lies in the images.

By class, test less training, in points. By chance one in twenty such intervals excludes 0; of these
{len(apart)}, {sum(apart)} {"does" if sum(apart) == 1 else "do"}.

{table(classes)}

Among splits that were dealt anew, each class with its number of test images:

{table([row_of_place(place) for place in split.deals])}

{say_telling(document)}"""


def row_of_place(place: DealPlace) -> dict[str, object]:
    by, unit = (100, ", %") if "accuracy" in place.what else (1, ", grey levels")
    return {
        "number": place.what + unit,
        "official": f"{by * place.official:.2f}",
        "mean of deals": f"{by * place.mean:.2f}",
        "sd": f"{by * place.sd:.2f}",
        "95 % of deals": f"{by * place.low:.2f} to {by * place.high:.2f}",
        "percentile": f"{100 * place.share_below:.0f}",
        "deals": f"{place.deals:,}",
    }


def say_telling(document: AuditDocument) -> str:
    telling = document.split.telling
    assert telling is not None  # judges were asked for
    can = "does not tell" if telling.low <= 0.5 <= telling.high else "tells"
    return (
        f"`{telling.model}`, trained for it, {can} test images from training images: area under "
        f"the ROC curve {telling.auc:.3f} (95 % interval {telling.low:.3f} to "
        f"{telling.high:.3f}) over {telling.images:,} images; 0.5 is chance."
    )


def write_order(document: AuditDocument) -> str:
    tests = document.split.positions
    rows = [
        {
            "mean by tenth of the file": test.what,
            "images": test.split,
            "lowest": f"{min(test.tenths):.3g}",
            "highest": f"{max(test.tenths):.3g}",
            "p": f"{test.p_value:.2g}",
        }
        for test in tests
    ]
    least = min(1, min(test.p_value for test in tests) * len(tests))
    shown = "So the position shows no effect" if least >= 0.05 else "So the position has an effect"
    return f"""## The order of the files

{table(rows)}

p is how often chance alone would make the tenths differ as much; the least of {len(tests)}, times
their number, is {least:.2g}. {shown}."""


def main() -> None:
    parser = arguments(__doc__, "fashion-mnist-audit")
    parser.add_argument("--models", default="lenet,mlp:hidden_units=64,v2")
    parser.add_argument("--deals", type=int, default=20)
    flags = parser.parse_args()
    found = fb.audit(
        model=flags.models.split(","), deals=flags.deals, data_dir=flags.data, out=flags.out
    )
    data = fb.load_data(data_dir=flags.data)
    pictures = {"train": data.train.images.numpy(), "test": data.test.images.numpy()}
    document = found.document
    doubted = [s for s in found.suspects if s.is_consensus and s.image.split == "test"]
    for name, figure in (
        ("doubles", draw_pairs(found.doubles[:SHOWN], pictures)),
        ("labels", draw_suspects(doubted[:SHOWN], pictures)),
    ):
        target = DOCS / "results" / f"{NAME}-{name}.png"
        figure.savefig(target, dpi=80, facecolor="white")
    plot = plot_distances(document.doubles, document.title)
    ranks = find_published(document)
    made = how(document.model_dump(include={"processor", "threads", "device", "versions"}))
    figures = {
        "made": made,
        "audit": without_images(document).model_dump(mode="json"),
        "published_at_ranks": ranks,
        **list_positions(document),
    }
    write_page(NAME, page(document, ranks, made), figures, plot)


if __name__ == "__main__":
    main()
