"""The page of an audit says what was found, for whoever reads it."""

from html.parser import HTMLParser

import numpy as np
import pytest

from fashionbench.report.audit.audit_document import AuditDocument, DoublesFound, GroupedSplit
from fashionbench.report.audit.audit_page import (
    render_audit,
    render_summary,
    say_grouped,
    summarize_audit,
)

PICTURES = {"train": np.zeros((6, 28, 28), np.uint8), "test": np.zeros((4, 28, 28), np.uint8)}


def place(split: str, position: int, label: str) -> dict[str, object]:
    return {"split": split, "position": position, "label": label, "file": None}


SCORES = {"train": 0.9125, "test": 0.9031, "difference": -0.0094, "low": -0.0151, "high": -0.0037}
PLACE = {
    "what": "accuracy of the nearest training image",
    "official": 0.8497,
    "mean": 0.8529,
    "sd": 0.0031,
    "low": 0.847,
    "high": 0.8588,
    "share_below": 0.15,
    "deals": 2000,
}
SPLIT = {
    "judges": [
        {
            "model": "linear",
            "accuracy": SCORES,
            "loss": SCORES | {"train": 0.2345},
            "classes": [{"label": "boot", "accuracy": SCORES | {"difference": 0.0123}}],
        }
    ],
    "deals": [
        PLACE,
        PLACE | {"what": "distance to the nearest training image", "official": 917.94},
    ],
    "telling": {"model": "linear", "auc": 0.5061, "low": 0.4981, "high": 0.5141, "images": 8},
    "positions": [
        {"what": "label, counted from 0", "split": "train", "tenths": [0.5] * 10, "p_value": 0.031}
    ],
}
LABELS = {
    "judges": [
        {
            "model": "linear",
            "recipe": "judge",
            "folds": 5,
            "seeds": [0, 1],
            "train_accuracy": 0.8125,
            "test_accuracy": 0.7919,
            "test_accuracy_without": 0.8431,
        }
    ],
    "counts": [
        {"split": "train", "images": 6, "runs": 2, "confident": 1, "consensus": 0, "both": 0},
        {"split": "test", "images": 4, "runs": 10, "confident": 0, "consensus": 1, "both": 0},
    ],
    "noise": [[0.875, 0.125], [0.0, 1.0]],
    "floor": {"share": 0.25, "low": 0.0456, "high": 0.6994},
    "suspects": [
        {
            "image": place(split, 1, "<bag> & co"),
            "seems": "boot",
            "probability": 0.0123,
            "disagreeing": 1.0,
            "is_consensus": split == "test",
            "is_confident": split == "train",
        }
        for split in ("test", "train")
    ],
}


def make_document(pairs: int = 2, *, labels: bool = True) -> AuditDocument:
    double = {
        "a": place("train", 1, "<bag> & co"),
        "b": place("test", 2, "<bag> & co"),
        "kind": "near",
        "distance": 7.5,
        "down": 1,
        "right": -2,
        "is_mirrored": True,
    }
    other = double | {"b": place("test", 3, "boot")}
    count = {"kind": "near", "where": "across", "same_label": pairs, "other_label": 0}
    found = {
        "threshold": 12,
        "limit": 16,
        "counts": [count],
        "distances": [{"above": 7, "up_to": 8, "same_label": pairs, "other_label": 0}],
        "images": 2,
        "groups": 1,
        "largest_group": 2,
        "test_images_known": 1,
        "pairs": ([double, other] * pairs)[:pairs],
    }
    return AuditDocument.model_validate(
        {
            "dataset": "mine/",
            "title": "Mine <& yours>",
            "digests": {"train": "a", "test": "b"},
            "command": "fashionbench audit --dataset mine/",
            "channels": 1,
            "size": 28,
            "classes": ["<bag> & co", "boot"],
            "train_images": 6,
            "test_images": 4,
            "notes": ["Half of it is <faint>."],
            "device": "cpu",
            "threads": 1,
            "versions": {"torch": "2.11.0"},
            "processor": "A processor",
            "seconds": {"doubles": 1.5},
            "doubles": DoublesFound.model_validate(found),
            "labels": LABELS if labels else None,
            "split": SPLIT,
            "doubtful_test_images": {"double": [2]},
        }
    )


class _Balanced(HTMLParser):
    """Notes tags that are closed by others than themselves."""

    VOID = ("meta", "img", "br", "path", "use", "image", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_names_are_text_and_the_page_is_whole() -> None:
    page = render_audit(make_document(), PICTURES)
    assert "Audit of Mine &lt;&amp; yours&gt;" in page
    assert "Half of it is &lt;faint&gt;." in page
    assert "<bag>" not in page
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_same_findings_give_the_same_bytes() -> None:
    assert render_audit(make_document(), PICTURES) == render_audit(make_document(), PICTURES)


def test_every_pair_is_on_one_sheet() -> None:
    page = render_audit(make_document(), PICTURES)
    assert page.count("train 1: &lt;bag&gt; &amp; co") == 3  # and a suspect
    assert "Two labels for one item" in page
    many = render_audit(make_document(130), PICTURES)
    assert "The first 60 of 65 pairs" in many


def test_a_data_set_without_doubles_has_a_page_too() -> None:
    document = make_document()
    none = {"same_label": 0, "other_label": 0}
    doubles = document.doubles
    empty = doubles.model_copy(
        update={
            "pairs": [],
            "distances": [step.model_copy(update=none) for step in doubles.distances],
            "counts": [count.model_copy(update=none) for count in doubles.counts],
            "groups": 0,
            "test_images_known": 0,
        }
    )
    page = render_audit(document.model_copy(update={"doubles": empty}), PICTURES)
    assert "How far apart pairs are" not in page
    assert "Pairs, by what they are" not in page
    assert "How far apart pairs are" in render_audit(document, PICTURES)
    assert "0 of 4 test images (0.00\N{NO-BREAK SPACE}%) have a double" in page


@pytest.mark.parametrize("known", [1, 2])
def test_the_summary_counts(known: int) -> None:
    document = make_document()
    found = document.doubles.model_copy(update={"test_images_known": known})
    pairs, test_images, floor, best, split = summarize_audit(
        document.model_copy(update={"doubles": found})
    )
    assert pairs == "0 pairs of images are exactly the same, 0 mirrored, 2 nearly the same."
    assert f"{known} of 4 test images" in test_images
    assert floor == (
        "1 test label (25.00 %) is doubtful: at least 99 % of 10 runs of 1 model disagree. If it "
        "is wrong, a model that is right about every test image has an accuracy of 75.00 %."
    )
    assert (
        best
        == "This model agrees with 81.25 % of the labels of training images that it did not see."
    )
    assert "nearest training image (how often it has the test image's label), the split" in split
    assert "harder than 85 % of 2,000 splits" in split
    assert render_summary(document).count("<p>") == 5
    assert len(summarize_audit(make_document(labels=False))) == 3


def test_without_doubtful_labels_no_accuracy_is_out_of_reach() -> None:
    document = make_document()
    assert document.labels is not None
    none = [count.model_copy(update={"consensus": 0}) for count in document.labels.counts]
    labels = document.labels.model_copy(update={"counts": none})
    said = summarize_audit(document.model_copy(update={"labels": labels}))
    assert "No test label is doubtful: there is none that at least 99 % of 10 runs of 1" in said[2]


def test_who_can_move_pictures_is_told_how_to_keep_doubles_together() -> None:
    remedy = "fashionbench audit --dataset mine/ --split grouped"
    document = make_document()
    assert remedy not in render_audit(document, PICTURES)
    pair = document.doubles.pairs[0]
    pair = pair.model_copy(update={"a": pair.a.model_copy(update={"file": "train/bag/1.png"})})
    doubles = document.doubles.model_copy(update={"pairs": [pair]})
    document = document.model_copy(update={"doubles": doubles, "dataset": "my mugs/"})
    assert remedy in render_audit(document, PICTURES)
    called = document.model_copy(update={"command": "fb.audit('my mugs/')"})
    remedy = "fashionbench audit --dataset &#39;my mugs/&#39; --split grouped"
    assert remedy in render_audit(called, PICTURES)


def test_the_new_split_is_told_in_place_of_how_to_get_it() -> None:
    document = make_document()
    pair = document.doubles.pairs[0]
    pair = pair.model_copy(update={"a": pair.a.model_copy(update={"file": "train/bag/1.png"})})
    doubles = document.doubles.model_copy(update={"pairs": [pair]})
    grouped = GroupedSplit(to_train=1, to_test=1)
    document = document.model_copy(update={"doubles": doubles, "grouped": grouped})
    page = render_audit(document, PICTURES)
    assert "it moves 1 test image to training, and 1 the other way." in page
    assert "--split grouped" not in page
    said = say_grouped(GroupedSplit(to_train=2_000, to_test=3))
    assert "2,000 test images to training, and 3 the other way; too few images" in said
    assert "no image changes sides" in say_grouped(GroupedSplit(to_train=0, to_test=0))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.02, -0.01, "For linear the test images are harder than chance explains."),
        (0.01, 0.02, "For linear the test images are easier than chance explains."),
        (-0.01, 0.01, "No model finds them harder or easier than chance explains."),
    ],
)
def test_whether_the_test_images_are_harder_is_told(low: float, high: float, said: str) -> None:
    document = make_document()
    (judge,) = document.split.judges
    accuracy = judge.accuracy.model_copy(update={"low": low, "high": high})
    judges = [judge.model_copy(update={"accuracy": accuracy})]
    split = document.split.model_copy(update={"judges": judges})
    assert said in render_audit(document.model_copy(update={"split": split}), PICTURES)


def test_the_split_is_on_the_page() -> None:
    page = render_audit(make_document(), PICTURES)
    for cell in ("−0.94", "−1.51 to −0.37", "+1.23", "0.2345", "84.97", "917.9", ">15<", "0.031"):
        assert cell in page, cell
    assert "in 50.6 % of cases (95 % interval 49.8 to 51.4 %" in page


def test_suspects_and_judges_are_on_the_page() -> None:
    page = render_audit(make_document(), PICTURES)
    assert "This model agrees with 81.25 % of the labels" in page
    assert "One model judged alone" in page
    document = make_document()
    assert document.labels is not None
    two = document.labels.model_copy(update={"judges": document.labels.judges * 2})
    page_of_two = render_audit(document.model_copy(update={"labels": two}), PICTURES)
    assert "alone, so" not in page_of_two
    assert "The best of these models, linear, agrees with 81.25" in page_of_two
    assert "Test images whose label consensus doubts" in page
    assert "Training images whose label confident learning alone doubts" in page
    assert page.count("seems boot") == 2
    assert "100 % of runs disagree; its label gets 1.2 %" in page
    for cell in ("81.25", "79.19", "84.31", "87.5", "12.5", "4.56 to 69.94"):
        assert cell in page
    assert "Doubtful labels" not in render_audit(make_document(labels=False), PICTURES)
