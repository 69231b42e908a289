"""An audit -> audit.html and audit.json. The same findings give the same bytes.

The page is one file without scripts or anything from elsewhere, as the report is.
"""

import html
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fashionbench.core.files import write_atomically
from fashionbench.report.audit.audit_document import (
    AuditDocument,
    DoublePair,
    GroupedSplit,
    JudgeOnParts,
    LabelsFound,
)
from fashionbench.report.audit.audit_plots import (
    Card,
    Pictures,
    plot_distances,
    show_pair,
    show_suspect,
)
from fashionbench.report.figures import render_svg
from fashionbench.report.numbers import format_percent, pluralize
from fashionbench.report.templating import load_template

__all__ = ["render_audit", "render_summary", "say_grouped", "summarize_audit", "write_audit"]

SHOWN = 60
"""Pairs that a sheet shows at most."""


class Sheet(NamedTuple):
    """Pictures under a heading."""

    heading: str
    sentence: str
    cards: list[Card]


def write_audit(document: AuditDocument, pictures: Pictures, folder: Path) -> list[Path]:
    """Write the page and the document into the folder, and return where. Raises StoreError."""
    contents = {
        "audit.html": render_audit(document, pictures),
        "audit.json": document.to_json(),
    }
    written = []
    for name, text in contents.items():
        write_atomically(folder / name, text.encode())
        written.append(folder / name)
    return written


def render_audit(document: AuditDocument, pictures: Pictures) -> str:
    """Return the page."""
    doubles = document.doubles
    distances = ""
    if any(step.same_label + step.other_label for step in doubles.distances):
        figure = plot_distances(doubles, document.title)
        distances = render_svg(figure, "distances", "Pairs by their distance")
    return load_template("audit.html.j2").render(
        document=document,
        doubles=doubles,
        counts=[count for count in doubles.counts if count.same_label + count.other_label],
        summary=[_keep_together(sentence) for sentence in summarize_audit(document)],
        remedy=_regroup(document),
        grouped=say_grouped(document.grouped) if document.grouped else "",
        parts=_say_parts(document.split.judges),
        distances=distances,
        sheets=[*_show_pairs(document, pictures)],
        suspects=[*_show_suspects(document, pictures)],
        judges=_say_judges(document.labels) if document.labels else [],
    )


def render_summary(document: AuditDocument) -> str:
    """Return what was found in brief as HTML, for a notebook's output."""
    return "".join(f"<p>{html.escape(sentence)}</p>" for sentence in summarize_audit(document))


def summarize_audit(document: AuditDocument) -> list[str]:
    """Say what was found, a sentence each."""
    doubles = document.doubles
    counts = {
        kind: sum(c.same_label + c.other_label for c in doubles.counts if c.kind == kind)
        for kind in ("exact", "mirrored", "near")
    }
    known = doubles.test_images_known
    share = f"{100 * known / document.test_images:.2f} %"
    have = "has a double" if known == 1 else "have a double"
    are = "is" if counts["exact"] == 1 else "are"
    found = f"{pluralize(counts['exact'], 'pair')} of images {are} exactly the same, "
    found += f"{counts['mirrored']:,} mirrored, {counts['near']:,} nearly the same."
    told = f"{known:,} of {document.test_images:,} test images ({share}) {have} among the "
    said = [found, f"{told}training images."]
    if document.labels is not None:
        said += [_say_floor(document.labels), _say_best(document.labels)]
    return [*said, _say_place(document)]


def _keep_together(sentence: str) -> str:
    """Break no line between a number and its percent sign."""
    return sentence.replace(" %", "\N{NO-BREAK SPACE}%")


def say_grouped(grouped: GroupedSplit) -> str:
    """Say what the split that keeps doubles together changes."""
    if not (grouped.to_train or grouped.to_test):
        return "No pair of doubles is divided, so no image changes sides."
    moved = f"{pluralize(grouped.to_train, 'test image')} to training"
    said = f"To keep doubles together it moves {moved}, and {grouped.to_test:,} the other way"
    fewer = grouped.to_train - grouped.to_test
    why = "too few images of their classes have no double"
    return f"{said}; {why} for as many test images as before." if fewer > 0 else f"{said}."


def _regroup(document: AuditDocument) -> str:
    """Return the command for a split that keeps doubles together, where pictures can be moved."""
    movable = any(pair.a.file for pair in document.doubles.pairs)
    if document.grouped or not (movable and document.doubles.test_images_known):
        return ""
    command = document.command
    if not command.startswith("fashionbench audit"):  # a call from Python
        command = shlex.join(["fashionbench", "audit", "--dataset", document.dataset])
    return f"{command} --split grouped"


def _say_floor(labels: LabelsFound) -> str:
    """Say how many test labels consensus doubts, and what that means."""
    (of_test,) = (count for count in labels.counts if count.split == "test")
    runs = f"at least 99 % of {of_test.runs:,} runs of {pluralize(len(labels.judges), 'model')}"
    if of_test.consensus == 0:
        return f"No test label is doubtful: there is none that {runs} disagree with."
    share, reached = map(format_percent, (labels.floor.share, 1 - labels.floor.share))
    one = of_test.consensus == 1
    noun, verb, they = ("label", "is", "it is") if one else ("labels", "are", "they are")
    return (
        f"{of_test.consensus:,} test {noun} ({share} %) {verb} doubtful: {runs} disagree. "
        f"If {they} wrong, a model that is right about every test image has an accuracy of "
        f"{reached} %."
    )


def _say_best(labels: LabelsFound) -> str:
    """Say how well the judges know the classes."""
    best = max(labels.judges, key=lambda judge: judge.train_accuracy)
    who = "This model" if len(labels.judges) == 1 else f"The best of these models, {best.model},"
    agreed = format_percent(best.train_accuracy)
    return f"{who} agrees with {agreed} % of the labels of training images that it did not see."


def _say_judges(labels: LabelsFound) -> list[str]:
    """Say how far the judges can be trusted."""
    known = (
        f"{_say_best(labels)} The weaker the models, the more suspects have the right label and "
        "are merely hard to tell."
    )
    alone = (
        "One model judged alone, so what it cannot learn is doubted too. Models of several "
        "families doubt less: name them with --model."
    )
    return [known, alone] if len(labels.judges) == 1 else [known]


def _say_place(document: AuditDocument) -> str:
    """Say where the split lies among others, by the last that was found: a model, or neighbours."""
    found = [place for place in document.split.deals if "accuracy" in place.what][-1]
    nearest = " (how often it has the test image's label)" if "nearest" in found.what else ""
    return (
        f"By the {found.what}{nearest}, the split into training and test images is harder than "
        f"{100 * (1 - found.share_below):.0f} % of {found.deals:,} splits that chance made of the "
        "same images."
    )


def _say_parts(judges: Sequence[JudgeOnParts]) -> list[str]:
    """Say which models find the test images harder or easier than training images."""
    harder = [judge.model for judge in judges if judge.accuracy.high < 0]
    easier = [judge.model for judge in judges if judge.accuracy.low > 0]
    said = [
        f"For {' and '.join(models)} the test images are {how} than chance explains."
        for models, how in ((harder, "harder"), (easier, "easier"))
        if models
    ]
    return said or ["No model finds them harder or easier than chance explains."]


def _show_pairs(document: AuditDocument, pictures: Pictures) -> Iterator[Sheet]:
    """Show the nearest pairs of each sort; each pair is on one sheet."""
    sorts: dict[str, list[DoublePair]] = {
        "A test image and a training image": [],
        "Two labels for one item": [],
        "Doubles within training or test images": [],
    }
    across, labels, within = sorts.values()
    for pair in document.doubles.pairs:
        if pair.a.label != pair.b.label:
            labels.append(pair)
        elif pair.a.split != pair.b.split:
            across.append(pair)
        else:
            within.append(pair)
    for heading, pairs in sorts.items():
        if pairs:
            cards = [show_pair(pair, pictures) for pair in pairs[:SHOWN]]
            yield Sheet(heading, _say_shown(len(pairs), "pair"), cards)


def _show_suspects(document: AuditDocument, pictures: Pictures) -> Iterator[Sheet]:
    """Show the most doubtful images of each split: those that consensus doubts, then others."""
    suspects = document.labels.suspects if document.labels else []
    for split, images in (("test", "Test images"), ("train", "Training images")):
        of_split = [suspect for suspect in suspects if suspect.image.split == split]
        consensus = [suspect for suspect in of_split if suspect.is_consensus]
        others = [suspect for suspect in of_split if not suspect.is_consensus]
        for heading, found in (
            (f"{images} whose label consensus doubts", consensus),
            (f"{images} whose label confident learning alone doubts", others),
        ):
            if found:
                cards = [show_suspect(suspect, pictures) for suspect in found[:SHOWN]]
                yield Sheet(heading, _say_shown(len(found), "image"), cards)


def _say_shown(count: int, noun: str) -> str:
    if count <= SHOWN:
        return f"All {pluralize(count, noun)}." if count > 1 else ""
    return f"The first {SHOWN} of {count:,} {noun}s; audit.json lists the others."
