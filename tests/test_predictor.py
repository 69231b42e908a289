"""A trained model and pictures: probabilities, and whether they can be relied on"""

import io
import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import drawn, photo
from PIL import Image

import fashionbench as fb
from fashionbench.config.study import Job
from fashionbench.core.logits import infer
from fashionbench.data.datasets import load_data
from fashionbench.data.picture_reading import load_picture
from fashionbench.data.split import hold_out
from fashionbench.errors import DataError, StoreError, UsageError
from fashionbench.experiments.planning import plan
from fashionbench.experiments.resume import train_in_folder
from fashionbench.inference.calibration import find_last_layer
from fashionbench.inference.photos import prepare
from fashionbench.inference.predictor import (
    SURE,
    TINY,
    Prediction,
    Predictor,
    load_predictor,
)
from fashionbench.inference.selection import PHOTO_MODEL
from fashionbench.models.checkpoint import load_facts
from fashionbench.serve.answers import answer_picture
from fashionbench.serve.served_models import ServedModel, ServedModels
from fashionbench.stats.metrics import score


def test_a_prediction_is_what_the_model_says_of_the_prepared_picture(run_folder: Path) -> None:
    predictor = load_predictor(run_folder)
    pictures = [drawn((40,) * 3, (255,) * 3), drawn((200,) * 3, (0,) * 3)]
    first, second = predictor.predict(pictures)
    assert np.array_equal(first.prepared, prepare(pictures[0]).image)
    assert sum(first.probabilities) == pytest.approx(1)
    assert first.label == first.classes[int(np.argmax(first.probabilities))]
    assert first.top(1)[0][0] == first.label
    shares = [share for _, share in first.top(10)]
    assert shares == sorted(first.probabilities, reverse=True)
    alone = predictor.predict(pictures[1:])[0]
    assert alone.probabilities == pytest.approx(second.probabilities, abs=1e-6)
    assert predictor.predict([]) == []


def test_temperature_softens_and_changes_no_label(run_folder: Path) -> None:
    predictor = load_predictor(run_folder)
    images = np.stack([prepare(drawn((40,) * 3, (255,) * 3)).image])
    plain = predictor.predict_prepared(images)[0]
    soft = replace(predictor, temperature=5.0).predict_prepared(images)[0]
    assert soft.argmax() == plain.argmax()
    assert soft.max() < plain.max()
    assert predictor.is_sure(np.array([SURE, 1 - SURE]))
    assert not predictor.is_sure(np.full(3, 1 / 3))


def test_a_photo_is_seen_in_four_ways_by_each_mask_and_the_photo_model_calibrated_for_it(
    run_folder: Path,
) -> None:
    predictor = load_predictor("photo")
    prepared = prepare(photo()[0])
    assert prepared.is_photo
    assert prepared.masks == ("grabcut", "salient", "salient+grabcut")
    assert prepared.views.shape == (12, 28, 28)
    one = prepared.by_mask()[0].views
    assert np.array_equal(one[2:], one[:2, :, ::-1])
    widths = [(view > 0).any(axis=0).sum() for view in one[:2]]
    assert widths[1] == pytest.approx(0.75 * widths[0], abs=1.5)
    features = list[torch.Tensor]()
    last = find_last_layer(predictor.model)
    hook = last.register_forward_hook(lambda module, given, _: features.append(given[0]))
    logs = np.log(predictor.predict_prepared(prepared.views)).mean(axis=0)
    hook.remove()
    fitted = json.loads(PHOTO_MODEL.with_name("calibration.json").read_text("utf-8"))
    expected = logs / fitted["temperature"]
    expected += [fitted["offsets"][name] for name in predictor.classes]
    weights = np.array([fitted["weights"][name] for name in predictor.classes])
    expected += weights @ torch.cat(features).double().numpy().mean(axis=0)
    found = predictor.average_views(prepared)
    np.testing.assert_allclose(found, np.exp(expected) / np.exp(expected).sum(), atol=1e-5)


def test_what_was_fitted_to_the_photo_model_is_applied_to_no_other(
    run_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(PHOTO_MODEL.parent, tmp_path / "mine")
    prepared = prepare(photo()[0])
    for other in (load_predictor(run_folder), load_predictor(tmp_path / "mine")):
        logs = np.log(np.maximum(other.predict_prepared(prepared.views), TINY)).mean(axis=0)
        expected = np.exp(logs) / np.exp(logs).sum()
        np.testing.assert_allclose(other.average_views(prepared), expected, atol=1e-6)


@pytest.mark.slow
def test_a_model_is_shown_what_it_was_shown_when_it_was_scored(tmp_path: Path) -> None:
    study = plan(["v0"], ["default"], 1, dataset="silhouettes", epochs=1, test_views="shifts")
    ((job,),) = study.entries()
    train_in_folder(job, tmp_path / "trained", device="cpu")
    predictor = load_predictor(tmp_path / "trained")
    images = load_data("silhouettes").test.images[:20]
    logits = infer(predictor.model, images, "shifts")
    expected = torch.tensor(logits).double().softmax(1).numpy()
    np.testing.assert_allclose(predictor.predict_prepared(images.numpy()), expected, atol=1e-6)


def test_a_training_folder_serves_and_is_calibrated(tmp_path: Path) -> None:
    study = plan(
        ["v0"],
        ["default"],
        1,
        dataset="silhouettes",
        device="cpu",
        epochs=1,
        validation_images=1000,
    )
    ((job,),) = study.entries()
    train_in_folder(job, tmp_path / "trained", device="cpu")
    predictor = load_predictor(tmp_path / "trained")
    assert predictor.path.name == "model.safetensors"
    assert predictor.temperature is not None
    assert 0.05 <= predictor.temperature <= 20


@pytest.mark.slow
def test_the_model_that_comes_with_the_program_knows_the_data_set(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    predictor = load_predictor(Path("photo"))
    facts = load_facts(predictor.path)
    split = hold_out(load_data(data_dir=real_data).train, 5000)[1]
    called = predictor.predict_prepared(split.images.numpy()).argmax(axis=1)
    accuracy = (called == split.labels.numpy()).mean()
    assert accuracy == pytest.approx(facts.validation_accuracy, abs=0.002)
    assert facts.job.recipe.name == "photo"
    (tmp_path / "photo").mkdir()
    with pytest.raises(StoreError):  # a folder of the person's that holds no run
        load_predictor(Path("photo"))


def test_a_model_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    lonely = tmp_path / "lonely.safetensors"
    with pytest.raises(StoreError, match=r"There is no .*lonely\.safetensors; give a run folder"):
        load_predictor(lonely)
    lonely.touch()
    with pytest.raises(StoreError, match=r"has no lonely\.json beside it to say which model it is"):
        load_predictor(lonely)


def test_a_model_of_a_persons_own_pictures_is_shown_pictures_as_it_was_trained(
    tmp_path: Path,
) -> None:
    # What tells these classes apart is where the square lies, which preparing photos undoes.
    for name, place in (("left", 4), ("right", 40)):
        for split in ("train", "test"):
            for number in range(12):
                file = tmp_path / "mine" / split / name / f"{number}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                picture = Image.new("RGB", (64, 64), "black")
                picture.paste((200 + number,) * 3, (place, 24, place + 16, 40))
                picture.save(file)
    ((job,),) = plan(
        ["linear"], ["default"], 1, dataset=str(tmp_path / "mine"), epochs=20
    ).entries()
    train_in_folder(job, tmp_path / "trained", device="cpu")
    predictor = load_predictor(tmp_path / "trained")
    for name in ("left", "right"):
        picture = load_picture(tmp_path / "mine" / "test" / name / "3.png")
        assert predictor.predict([picture])[0].label == name


def test_ink_on_paper_is_told_to_a_model_of_light_on_dark(ink_reader: Path) -> None:
    predictor = load_predictor(ink_reader)
    scan = np.full((90, 70), 240, np.uint8)
    scan[10:80, 30:38] = 20
    paper, board = Image.fromarray(scan), Image.fromarray(255 - scan)
    for picture, told in ((paper, True), (board, False)):
        (prediction,) = predictor.predict([picture])
        assert [
            "dark on light, but the model was trained on pictures that are light on dark" in warning
            for warning in prediction.warnings
        ] == [True] * told
    assert predictor.predict([board])[0].label == "upright"


def test_a_checkpoint_without_facts_of_its_pictures_warns_of_nothing(
    ink_reader: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(ink_reader, tmp_path / "older")
    facts = json.loads((folder / "model.json").read_text("utf-8"))
    del facts["pictures"]
    (folder / "model.json").write_text(json.dumps(facts))
    predictor = load_predictor(folder)
    assert predictor.levels is None
    assert predictor.predict([Image.new("L", (28, 28), 255)])[0].warnings == ()


def test_the_white_of_training_is_that_of_a_picture(ink_reader: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(ink_reader, tmp_path / "deep")
    facts = json.loads((folder / "model.json").read_text("utf-8"))
    facts["pictures"]["levels"] = [0, 4095]
    (folder / "model.json").write_text(json.dumps(facts))
    file = tmp_path / "dark.png"
    Image.fromarray(np.full((28, 28), 819, np.uint16)).save(file)
    predictor = load_predictor(folder)
    picture = load_picture(file, levels=predictor.levels)
    assert set(predictor.predict([picture])[0].prepared.flat) == {51}  # a fifth of white


@pytest.mark.parametrize(
    ("probabilities", "order"),
    [
        ((0.25, 0.25, 0.25, 0.25), "abcd"),
        ((0.1, 0.4, 0.1, 0.4), "bdac"),
        ((0.4, 0.2, 0.4, 0.0), "acbd"),
        ((0.0, 0.0, 0.0, 1.0), "dabc"),
    ],
)
def test_of_equal_probabilities_the_first_class_is_meant(
    probabilities: tuple[float, ...], order: str
) -> None:
    prediction = Prediction(tuple("abcd"), probabilities, np.zeros((28, 28), np.uint8), sure=False)
    assert "".join(name for name, _ in prediction.top(4)) == order
    assert prediction.label == "abcd"[int(np.argmax(probabilities))] == order[0]


def test_equal_logits_are_one_class_wherever_they_are_asked_for(run_folder: Path) -> None:
    """Prediction, page, score: a net whose logits are all equal, and one with a tie of two."""
    predictor, picture = load_predictor(run_folder), drawn((40,) * 3, (255,) * 3)
    for bias in (torch.zeros(10), torch.tensor([0.0, 0, 3, 0, 0, 3, 0, 0, 1, 2])):
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
        torch.nn.init.zeros_(model[1].weight)
        model[1].bias.data = bias
        tied = replace(predictor, model=model)
        logits = infer(model, torch.zeros(1, 28, 28, dtype=torch.uint8))
        first = int(logits.argmax())
        assert tied.predict([picture])[0].label == predictor.classes[first]
        assert score(logits, np.array([first])).accuracy == 1
        shown = ServedModel("tied", tied, plan_job(), 0, None)
        answers = answer_picture(ServedModels((shown,)), png(picture))
        assert answers.answers[0].label == predictor.classes[first]


def plan_job() -> Job:
    ((job,),) = plan(["v0"], ["default"], 1, dataset="silhouettes").entries()
    return job


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_a_temperature_keeps_apart_what_differs_by_one_rounding(run_folder: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    torch.nn.init.zeros_(model[1].weight)
    black = np.zeros((1, 28, 28), np.uint8)
    for start in np.linspace(1, 2, 50, dtype=np.float32):
        bias = np.zeros(10, np.float32)
        bias[3], bias[7] = start, np.nextafter(start, np.float32(3))
        model[1].bias.data = torch.from_numpy(bias)
        predictor = replace(load_predictor_once(run_folder), model=model, temperature=1.7)
        assert predictor.predict_prepared(black).argmax() == 7


@cache
def load_predictor_once(folder: Path) -> Predictor:
    return load_predictor(folder)


def test_a_model_whose_training_diverged_is_refused(tmp_path: Path) -> None:
    study = plan(["v0"], ["default"], 1, dataset="silhouettes", epochs=1, learning_rate=1e30)
    ((job,),) = study.entries()
    train_in_folder(job, tmp_path / "trained", device="cpu")
    with pytest.raises(StoreError, match="diverged, its weights are no numbers; train again"):
        load_predictor(tmp_path / "trained")


def test_paths_and_images_are_taken_and_a_path_is_turned_upright(tmp_path: Path) -> None:
    predictor = load_predictor("photo")
    picture = drawn((40,) * 3, (255,) * 3)
    picture.save(tmp_path / "plain.png")
    turned, exif = picture.rotate(90, expand=True), Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise makes it upright
    turned.save(tmp_path / "turned.png", exif=exif)
    given = [picture, tmp_path / "plain.png", str(tmp_path / "turned.png")]
    first, second, third = predictor.predict(given)
    assert np.array_equal(first.prepared, second.prepared)
    assert np.array_equal(first.prepared, third.prepared)
    with pytest.raises(DataError, match=r"absent\.png"):
        predictor.predict([tmp_path / "absent.png"])
    with pytest.raises(UsageError, match=r"Give a list of pictures, such as \['shoe.jpg'\]"):
        predictor.predict("shoe.jpg")
    with pytest.raises(UsageError, match="Give a list of pictures"):
        predictor.predict(picture)


def test_pictures_are_classified_in_one_call(tmp_path: Path) -> None:
    picture = Image.new("L", (28, 28), 0)
    picture.paste(200, (8, 4, 20, 26))
    picture.save(tmp_path / "dress.png")
    one = fb.predict(tmp_path / "dress.png")
    several = fb.predict([str(tmp_path / "dress.png"), picture], "photo")
    assert [found.label for found in several] == [one[0].label] * 2
    assert repr(one[0]).startswith(f"Prediction('{one[0].label}', ")
    assert len(repr(one[0])) < 60


def test_what_is_no_picture_or_no_trained_model_is_told() -> None:
    for picture in (torch.zeros(28, 28), np.zeros((28, 28), np.uint8)):
        with pytest.raises(UsageError, match=r"an image of Pillow, and not a (Tensor|ndarray)"):
            fb.predict([picture])
    with pytest.raises(UsageError, match=r"named by its file, run folder .* and is no Linear"):
        load_predictor(torch.nn.Linear(1, 1))
    black = np.zeros((2, 28, 28), np.uint8)
    for images in (black / 255, black[0], black[:, 4:, 4:], [black[0, 0]], None):
        with pytest.raises(UsageError, match="but should be several in uint8, 28x28 in grey"):
            load_predictor().predict_prepared(images)
