"""A worker that would give other numbers is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fashionbench.data.split import Dataset, Split
from fashionbench.errors import DataError, UsageError
from fashionbench.experiments.cluster import conditions
from fashionbench.experiments.cluster.conditions import (
    digest_code,
    digest_data,
    make_plan,
    refuse_other_data,
    refuse_other_program,
)


def test_a_plan_made_here_is_accepted_here(silhouettes: Dataset, tmp_path: Path) -> None:
    plan = make_plan(
        {"silhouettes": digest_data(silhouettes)},
        tmp_path,
        threads=2,
        device="cpu",
        parallel="auto",
    )
    refuse_other_program(plan)
    refuse_other_data(plan, "silhouettes", silhouettes)
    assert (plan.threads, plan.data_dir, plan.folder) == (2, str(tmp_path), str(Path.cwd()))


@pytest.mark.parametrize(
    ("what", "name"),
    [("torch", "torch"), ("code", "fashionbench's code"), ("protocol", "protocol")],
)
def test_another_program_is_refused(what: str, name: str, silhouettes: Dataset) -> None:
    plan = make_plan(
        {"silhouettes": digest_data(silhouettes)}, None, threads=1, device="cpu", parallel="auto"
    )
    other = plan.model_copy(update={what: 1 if what == "protocol" else "1.0"})
    with pytest.raises(UsageError, match=f"The plan is for {name} 1.*Install the same here"):
        refuse_other_program(other)


@pytest.mark.parametrize("split", ["train", "test"])
def test_data_with_one_other_pixel_are_refused(split: str, silhouettes: Dataset) -> None:
    plan = make_plan(
        {"silhouettes": digest_data(silhouettes)}, None, threads=1, device="cpu", parallel="auto"
    )
    part: Split = getattr(silhouettes, split)
    images = part.images.clone()
    images[0, 0, 0] += 1
    other = replace(silhouettes, **{split: Split(images, part.labels)})
    assert digest_data(other) != digest_data(silhouettes)
    with pytest.raises(DataError, match="not the same here"):
        refuse_other_data(plan, "silhouettes", other)


def test_other_labels_are_other_data(silhouettes: Dataset) -> None:
    train = Split(silhouettes.train.images, torch.roll(silhouettes.train.labels, 1))
    assert digest_data(replace(silhouettes, train=train)) != digest_data(silhouettes)


def test_any_edit_is_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "package" / "experiments" / "cluster" / "conditions.py"
    place.parent.mkdir(parents=True)
    place.write_text("")
    monkeypatch.setattr(conditions, "__file__", str(place))
    seen = {digest_code()}
    for name, text in (("a.py", ""), ("a.py", "x = 1\n"), ("kernel.c", "int x;")):
        (tmp_path / "package" / name).write_text(text)
        seen.add(digest_code())
    (tmp_path / "package" / "notes.txt").write_text("no code")
    seen.add(digest_code())
    assert len(seen) == 4
