"""Questions and answers, without the web around them."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from factories import BLANK, SHIRT, drawn, photo, png
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pillow_heif import register_heif_opener

from fashionbench.inference.photos import prepare
from fashionbench.serve import answers
from fashionbench.serve.served_models import ServedModels, load_served_models


@pytest.fixture(scope="module")
def served(run_folder: Path) -> ServedModels:
    return load_served_models(run_folder)


def test_every_model_answers_and_chances_add_up(served: ServedModels) -> None:
    found = answers.answer_picture(served, SHIRT)
    prepared = prepare(Image.open(io.BytesIO(SHIRT))).image
    assert np.array_equal(found.prepared, prepared)
    assert [answer.name for answer in found.answers] == [shown.name for shown in served.models]
    for answer, shown in zip(found.answers, served.models, strict=True):
        chances = [chance.probability for chance in answer.chances]
        assert sum(chances) == pytest.approx(1)
        assert chances == sorted(chances, reverse=True)
        expected = shown.predictor.predict_prepared(prepared[None])[0]
        assert answer.chances[0].class_index == expected.argmax()
        assert answer.sure == shown.predictor.is_sure(expected)


def test_a_picture_in_json_is_the_same_picture(served: ServedModels) -> None:
    body = json.dumps({"picture": base64.b64encode(SHIRT).decode()}).encode()
    assert answers.answer_json(served, body) == answers.answer_picture(served, SHIRT)


def test_a_photo_is_answered_by_all_masks_together_and_by_each(served: ServedModels) -> None:
    picture = photo()[0]
    found, prepared = answers.answer_picture(served, png(picture)), prepare(picture)
    assert (found.is_photo, found.mask) == (True, prepared.masks[prepared.taken])
    assert [part.mask for part in found.masks] == list(prepared.masks)
    for part, one in zip(found.masks, prepared.by_mask(), strict=True):
        assert np.array_equal(part.prepared, one.image)
        for answer, shown in zip(part.answers, served.models, strict=True):
            expected = shown.predictor.average_views(one)
            assert answer.chances[0].probability == pytest.approx(expected.max())
    assert found.items == []
    plain = answers.answer_picture(served, SHIRT)
    assert (plain.is_photo, plain.mask, plain.masks) == (False, None, [])


def test_each_of_several_things_has_a_box_and_an_answer(served: ServedModels) -> None:
    wide, (_, inside) = Image.new("RGB", (460, 260), (150, 130, 95)), photo()
    shape = Image.fromarray(inside.astype(np.uint8) * 255)
    for left, colour in ((40, (170, 30, 40)), (260, (30, 40, 120))):
        wide.paste(Image.new("RGB", shape.size, colour), (left, 30), shape)
    found = answers.answer_picture(served, png(wide))
    first, second = found.items
    assert 0 < first.box[0] < first.box[2] < second.box[0] < second.box[2] < 1
    assert not found.answers[found.rely_on].sure
    assert any("shows 2 things" in warning for warning in found.warnings)


@pytest.mark.parametrize(("kind", "size"), [("HEIF", (1200, 600)), ("TIFF", (300, 200))])
def test_a_picture_comes_back_small_as_a_jpeg(
    kind: str, size: tuple[int, int], served: ServedModels
) -> None:
    register_heif_opener()
    file = io.BytesIO()
    photo()[0].resize(size).save(file, kind)
    preview = answers.answer_picture(served, file.getvalue()).preview or ""
    start, _, content = preview.partition(",")
    assert start == "data:image/jpeg;base64"
    small = Image.open(io.BytesIO(base64.b64decode(content)))
    assert small.format == "JPEG"
    assert small.size == tuple(side * min(1, 480 / max(size)) for side in size)


def test_why_has_a_number_for_each_pixel(served: ServedModels) -> None:
    body = json.dumps({"pixels": BLANK, "model": 1, "class_index": 9}).encode()
    assert np.array(answers.answer_why(served, body).importance).shape == (28, 28)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 400, "Invalid JSON"),
        (b"{}", 422, "either `picture` or `pixels`"),
        (b'{"picture": "%%%"}', 400, "not base64"),
        (b'{"picture": "aGVsbG8="}', 415, "cannot be read as a picture"),
        (b'{"path": "/etc/passwd"}', 422, "path"),
    ],
)
def test_what_is_no_question_is_refused(
    body: bytes, status: int, says: str, served: ServedModels
) -> None:
    with pytest.raises(answers.Refusal, match=says) as refusal:
        answers.answer_json(served, body)
    assert refusal.value.status == status


@pytest.mark.parametrize(
    "pixels",
    [
        [],
        BLANK[1:],
        [row[1:] for row in BLANK],
        [[0], *BLANK[1:]],
        [[[0, 0, 0]] * 28] * 28,
        *([[wrong] + [0] * 27, *BLANK[1:]] for wrong in (256, -1, 10**30, 0.5, "0", None, [])),
    ],
)
def test_pixels_of_another_shape_or_kind_are_refused(pixels: object, served: ServedModels) -> None:
    body = {"pixels": pixels}
    says = r"28 rows of 28 pixels, in whole numbers from 0 to 255\.$"
    with pytest.raises(answers.Refusal, match=says):
        answers.answer_json(served, json.dumps(body).encode())
    with pytest.raises(answers.Refusal, match=says):
        answers.answer_why(served, json.dumps(body | {"class_index": 0}).encode())


@pytest.mark.parametrize("wrong", [{"model": 2}, {"class_index": 10}])
def test_why_asks_for_models_and_classes_that_there_are(
    wrong: dict[str, int], served: ServedModels
) -> None:
    body = json.dumps({"pixels": BLANK, "model": 0, "class_index": 0} | wrong).encode()
    with pytest.raises(answers.Refusal, match="the first is 0") as refusal:
        answers.answer_why(served, body)
    assert refusal.value.status == 422


@pytest.mark.parametrize("side", [8_000, 10_000, 20_000])
def test_a_small_file_that_unpacks_to_a_huge_picture_is_refused(
    side: int, served: ServedModels
) -> None:
    bomb = png(Image.new("1", (side, side)))
    assert len(bomb) < 100_000
    with pytest.raises(answers.Refusal, match="million pixels") as refusal:
        answers.answer_picture(served, bomb)
    assert refusal.value.status == 413


def test_a_photo_of_108_megapixels_and_every_format_are_taken(served: ServedModels) -> None:
    file = io.BytesIO()
    large = drawn((40,) * 3, (255,) * 3).convert("L").resize((9_600, 12_000))
    large.save(file, "JPEG", quality=50)
    found = answers.answer_picture(served, file.getvalue())
    small = answers.answer_picture(served, SHIRT)
    assert np.abs(np.subtract(found.prepared, small.prepared)).mean() < 5
    for kind in ("AVIF", "TIFF", "PPM", "ICO"):
        file = io.BytesIO()
        drawn((40,) * 3, (255,) * 3).save(file, kind)
        assert answers.answer_picture(served, file.getvalue()).answers


def test_ink_on_paper_is_told_in_a_field(ink_reader: Path) -> None:
    served = load_served_models(ink_reader)
    for ground, told in ((250, 1), (3, 0)):
        picture = Image.new("L", (50, 50), ground)
        picture.paste(255 - ground, (20, 10, 25, 40))
        assert len(answers.answer_picture(served, png(picture)).warnings) == told
        pixels = {"pixels": np.asarray(picture.resize((28, 28))).tolist()}
        assert len(answers.answer_json(served, json.dumps(pixels).encode()).warnings) == told


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cut=st.integers(0, len(SHIRT)),
    changes=st.lists(st.tuples(st.integers(0, len(SHIRT) - 1), st.integers(0, 255)), max_size=4),
    tail=st.binary(max_size=20),
)
def test_no_damaged_file_is_more_than_refused(
    cut: int, changes: list[tuple[int, int]], tail: bytes, served: ServedModels
) -> None:
    content = bytearray(SHIRT)
    for place, value in changes:
        content[place] = value
    try:
        found = answers.answer_picture(served, bytes(content[:cut]) + tail)
    except answers.Refusal as refusal:
        told = (refusal.status in (413, 415, 422), str(refusal)[-1])
    else:
        told = (len(found.answers) == len(served.models), ".")
    assert told == (True, ".")
