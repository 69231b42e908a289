"""All parts of an audit in one document, with what is needed to trust and repeat it."""

from pathlib import Path

import numpy as np
import torch
from factories import CPU

import fashionbench as fb
from fashionbench.data.split import Dataset, Split
from fashionbench.experiments.audit.asked import Asked
from fashionbench.experiments.audit.survey import survey
from fashionbench.experiments.planning import plan
from fashionbench.store.records import digest_images


def test_the_document_says_what_was_audited_when_and_how(
    silhouettes: Dataset, tmp_path: Path
) -> None:
    train = Split(silhouettes.train.images[:200], silhouettes.train.labels[:200])
    test = Split(silhouettes.test.images[:50], silhouettes.test.labels[:50])
    data = Dataset("silhouettes", "few", silhouettes.classes, train, test, ("a note",))
    study = plan("linear", "judge", 1, dataset="silhouettes", epochs=1)
    found = survey(study, data, tmp_path, "the command", Asked(folds=2, deals=2), CPU)
    assert (found.title, found.command, found.notes) == ("few", "the command", ["a note"])
    assert (found.train_images, found.test_images, len(found.classes)) == (200, 50, 10)
    labels = test.labels.numpy().astype(np.uint8)
    assert found.digests["test"] == digest_images(test.images.numpy(), labels)
    assert found.versions["torch"] == torch.__version__
    assert found.versions["fashionbench"] == fb.__version__
    assert {"doubles", "folds", "labels", "split"} <= found.seconds.keys()
    assert set(found.doubtful_test_images) == {"label", "double"}
    alone = survey(study, data, tmp_path, "the command", Asked(folds=0, split="grouped"), CPU)
    assert alone.labels is None
    assert alone.split.judges == []
    assert found.split.telling is not None
    assert [place.deals for place in found.split.deals] == [2000, 2000, 2]
    assert len((tmp_path / "split.csv").read_text("utf-8").splitlines()) == 251
    assert alone.doubles == found.doubles
    assert set(alone.doubtful_test_images) == {"double"}
