"""An audit from a data set to its page: planted doubles are found, bad input is told."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from factories import write_idx
from PIL import Image

import fashionbench as fb
from fashionbench.data.split import Dataset
from fashionbench.errors import DataError, Interrupted, UsageError
from fashionbench.store.records import digest_images

AUDIT_PAGE = Path(__file__).parent.parent / "docs" / "audit.md"


@pytest.fixture(scope="module")
def planted(silhouettes: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 + 20 images, of which test images are copies of training images, moved and mirrored."""
    train, test = silhouettes.train, silhouettes.test
    images = [train.images[:120].numpy().copy(), test.images[:20].numpy().copy()]
    labels = [split.labels[:n].numpy().astype(np.uint8) for split, n in ((train, 120), (test, 20))]
    images[1][3] = images[0][5]
    images[1][4] = images[0][6][:, ::-1]
    images[1][7] = np.roll(images[0][8], (2, -1), axis=(0, 1))
    labels[1][[3, 4, 7]] = labels[0][[5, 6, 8]]
    arrays = [images[0], labels[0], images[1], labels[1]]
    return write_idx(tmp_path_factory.mktemp("data") / "planted", arrays)


def test_planted_doubles_are_found_and_written(planted: Path, tmp_path: Path) -> None:
    found = fb.audit(planted, folds=0, out=tmp_path / "audit")
    across = {
        (pair.a.position, pair.b.position): pair
        for pair in found.doubles
        if (pair.a.split, pair.b.split) == ("train", "test")
    }
    assert across[5, 3].kind == "exact"
    assert across[6, 4].kind in ("exact", "mirrored")  # some silhouettes are symmetric
    assert across[8, 7].distance < 1
    assert len(repr(found)) < 60 + len(str(planted)) + len(str(tmp_path))
    written = json.loads((tmp_path / "audit" / "audit.json").read_text("utf-8"))
    assert {3, 4, 7} <= set(written["doubtful_test_images"]["double"])
    assert written["format"] == 1
    data = fb.load_data(str(planted))
    digest = digest_images(data.test.images.numpy(), data.test.labels.numpy().astype(np.uint8))
    assert written["digests"]["test"] == digest
    assert (tmp_path / "audit" / "audit.html").read_text("utf-8") == (
        fb.audit(str(planted), folds=0, out=tmp_path / "again").folder / "audit.html"
    ).read_text("utf-8").replace("/again", "/audit").replace(*seconds(tmp_path))


def seconds(folder: Path) -> tuple[str, str]:
    """Return what the second page says of time, and the first."""
    first, second = (
        json.loads((folder / name / "audit.json").read_text("utf-8"))["seconds"]["doubles"]
        for name in ("audit", "again")
    )
    return f"doubles {second:.0f} s", f"doubles {first:.0f} s"


def test_pictures_are_told_by_their_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("bag", "boot"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(6):
            picture = Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8))
            picture.save(tmp_path / "mine" / name / f"{number}.png")
    (tmp_path / "mine" / "boot" / "copy.png").write_bytes(
        (tmp_path / "mine" / "bag" / "3.png").read_bytes()
    )
    (pair,) = fb.audit(str(tmp_path / "mine"), folds=0, out=tmp_path / "audit").doubles
    assert {pair.a.file, pair.b.file} == {"bag/3.png", "boot/copy.png"}
    assert {pair.a.label, pair.b.label} == {"bag", "boot"}


def test_the_documented_lines_make_the_grouped_split_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for side, count in (("train", 8), ("test", 3)):
        for name in ("a bag", "Schuhgröße"):
            (tmp_path / "my_pictures" / side / name).mkdir(parents=True)
            for number in range(count):
                picture = Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8))
                picture.save(tmp_path / "my_pictures" / side / name / f"{number}.png")
    (tmp_path / "my_pictures" / "test" / "a bag" / "2.png").write_bytes(
        (tmp_path / "my_pictures" / "train" / "Schuhgröße" / "7.png").read_bytes()
    )
    found = fb.audit("my_pictures/", folds=0, split="grouped").document
    assert found.doubles.test_images_known == 1
    assert found.grouped is not None
    assert (found.grouped.to_train, found.grouped.to_test) == (1, 1)
    (block,) = re.findall(r"```python\n(.*?)```", AUDIT_PAGE.read_text("utf-8"), re.DOTALL)
    exec(block, {})
    again = fb.audit("my_pictures_grouped/", folds=0).document
    assert (again.train_images, again.test_images) == (found.train_images, found.test_images)
    assert again.doubles.counts[0].other_label == 1  # both are training images now
    assert again.doubles.test_images_known == 0


def test_colors_are_seen_and_the_audit_fits_the_data_in_any_shape(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("bag", "boot"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "mine" / name / f"{number}.png")
    shades = np.full((32, 32, 3), (200, 0, 0), np.uint8)
    for name, swapped in (("a", shades), ("b", shades), ("c", shades[..., ::-1])):
        Image.fromarray(swapped).save(tmp_path / "mine" / "bag" / f"{name}.png")
    folder = str(tmp_path / "mine")
    found = fb.audit(folder, folds=0, out=tmp_path / "audit")
    assert (found.document.channels, found.document.size) == (3, 32)
    (pair,) = found.doubles  # in grey all three are nearly one
    assert (pair.a.file, pair.b.file) == ("bag/a.png", "bag/b.png")
    audit = json.loads((tmp_path / "audit" / "audit.json").read_text("utf-8"))
    audit["doubtful_test_images"] = {"label": [0]}
    (tmp_path / "audit.json").write_text(json.dumps(audit))
    compared = fb.compare(
        "linear",
        dataset=folder,
        channels=1,
        size=16,
        epochs=1,
        seeds=1,
        exclude=tmp_path / "audit.json",
        out=tmp_path / "runs",
    )
    assert compared.document.excluded is not None


def test_bad_input_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no data set 'fashion'"):
        fb.audit("fashion")
    with pytest.raises(UsageError, match="device is 'gpu', but should be 'auto', 'cpu'"):
        fb.audit("silhouettes", device="gpu", folds=0)
    (tmp_path / "one" / "bag").mkdir(parents=True)
    Image.new("L", (28, 28)).save(tmp_path / "one" / "bag" / "1.png")
    with pytest.raises(DataError, match="holds one picture; two are the least"):
        fb.audit(str(tmp_path / "one"))


def test_images_that_are_all_alike_are_one_group(tmp_path: Path) -> None:
    labels = np.arange(40, dtype=np.uint8) % 2
    blank = np.zeros((40, 28, 28), np.uint8)
    folder = write_idx(tmp_path / "blank", [blank, labels, blank[:10], labels[:10]])
    found = fb.audit(str(folder), folds=0, out=tmp_path / "audit").document.doubles
    assert (found.images, found.groups, found.largest_group) == (50, 1, 50)
    assert found.test_images_known == 10


def test_labels_are_judged_and_told(planted: Path, tmp_path: Path) -> None:
    found = fb.audit(str(planted), model=["linear", "mlp"], folds=2, seeds=1, deals=0, out=tmp_path)
    labels = found.document.labels
    assert labels is not None
    assert [judge.model for judge in labels.judges] == ["linear", "mlp"]
    assert labels.judges[0].recipe == "judge epochs=40"  # of 120 images
    assert [count.runs for count in labels.counts] == [2, 4]
    doubted = found.document.doubtful_test_images["label"]
    assert doubted == sorted(
        suspect.image.position
        for suspect in found.suspects
        if suspect.image.split == "test" and suspect.is_consensus
    )
    page = (tmp_path / "audit.html").read_text("utf-8")
    assert "Doubtful labels" in page
    assert f"seems {found.suspects[0].seems}" in page


def test_a_recipe_that_was_asked_for_is_left_as_it_is(planted: Path, tmp_path: Path) -> None:
    recipe = fb.load_recipe("judge").override(epochs=1)
    found = fb.audit(
        str(planted), model="linear", recipe=recipe, folds=2, seeds=1, deals=0, out=tmp_path
    )
    assert found.document.labels is not None
    assert found.document.labels.judges[0].recipe == "judge epochs=1"


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fashionbench.experiments.audit.survey.judge", interrupt)
    with pytest.raises(Interrupted, match=r"what is finished is kept in .*fb\.audit\("):
        fb.audit(str(planted), model="linear", folds=2, deals=0, out=tmp_path)


def test_too_many_folds_are_refused_before_anything_is_searched(planted: Path) -> None:
    with pytest.raises(UsageError, match="give --folds 2 to"):
        fb.audit(str(planted), folds=60)
