"""A classifier that tells training from test images: where it can, the two are not alike."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from fashionbench.config.study import Job
from fashionbench.core.progress import progress_bar
from fashionbench.data.split import Dataset, Split, hold_out_order
from fashionbench.experiments.audit.folds import deal_folds
from fashionbench.experiments.audit.trainer import Trainer
from fashionbench.report.audit.audit_document import TellingApart
from fashionbench.stats.auc import area_under_curve, average_areas
from fashionbench.training.evaluation import compute_logits

__all__ = ["tell_apart"]

FOLDS = 5
LEAST = 50
"""Test images; fewer leave folds in which there is nothing to tell."""


def tell_apart(jobs: Sequence[Job], data: Dataset, device: torch.device) -> TellingApart | None:
    """Say how well the judge tells test images from as many training images of each class.

    Which training images is drawn by a hash of positions. Each of five folds is judged by models
    trained on the others; the scores of several seeds are averaged. None for few test images.
    """
    if len(data.test) < LEAST:
        return None
    drawn = torch.from_numpy(_draw_as_many(data))
    images = torch.cat([data.train.images[drawn], data.test.images])
    is_test = torch.arange(len(images)) >= len(drawn)
    two = Dataset(
        data.name, data.title, ("training", "test"), Split(images, is_test.long()), data.test
    )
    labels = torch.cat([data.train.labels[drawn], data.test.labels])
    # By class too: a class that is rarer among the test images of four folds is more frequent in
    # the fifth, and models that learned the first would be wrong more often than by chance.
    of_fold = deal_folds((2 * labels + is_test).numpy(), FOLDS)
    trainer, areas = Trainer(jobs, two, device), []
    with progress_bar(total=of_fold.max() + 1, desc="train against test", unit="fold") as bar:
        for fold in range(of_fold.max() + 1):
            rows = torch.from_numpy(of_fold == fold)
            training = Split(images[~rows], is_test[~rows].long()).to(device)
            models = trainer.fit(training)
            logits = np.mean([compute_logits(model, images[rows]) for model in models], axis=0)
            areas.append(area_under_curve(logits[:, 1] - logits[:, 0], is_test[rows].numpy()))
            bar.update()
    found = average_areas(areas)
    low, high = found.interval
    return TellingApart(model=jobs[0].model, auc=found.auc, low=low, high=high, images=len(images))


def _draw_as_many(data: Dataset) -> NDArray[np.int64]:
    """Return the positions of as many training images of each class as there are test images."""
    labels, wanted = data.train.labels.numpy(), np.bincount(data.test.labels.numpy())
    order = hold_out_order(labels)
    drawn = [order[labels[order] == label][:count] for label, count in enumerate(wanted)]
    return np.sort(np.concatenate(drawn))
