"""Pictures of every kind become what the data set would have made of them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import drawn, photo
from numpy.typing import NDArray
from PIL import Image, ImageOps

import fashionbench as fb
from fashionbench.data.picture_reading import load_picture
from fashionbench.data.split import Split
from fashionbench.errors import DataError
from fashionbench.inference.masks import find_item
from fashionbench.inference.photos import prepare


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def saved(picture: Image.Image, kind: str, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    file.seek(0)
    return file


@pytest.fixture(scope="module")
def expected() -> NDArray[np.bool_]:
    """Where the drawn shirt ends up: trimmed, its longer side 28, centred."""
    picture = drawn(255, 0, "L")
    left, top, right, bottom = box = picture.getbbox() or (0, 0, 0, 0)
    assert right - left == bottom - top  # as wide as it is high, so it fills the square
    return np.asarray(picture.crop(box).resize((28, 28), Image.Resampling.BOX)) > 127


@pytest.mark.parametrize("item", [40, 215], ids=["dark", "light"])
@pytest.mark.parametrize("ground", [0, 255], ids=["on black", "on white"])
def test_an_item_on_plain_ground_is_cut_out_and_becomes_light(
    item: int, ground: int, expected: NDArray[np.bool_]
) -> None:
    image = prepare(drawn((item,) * 3, (ground,) * 3)).image
    assert (image.shape, image.dtype) == ((28, 28), np.uint8)
    assert overlap(image > 20, expected) > 0.9
    assert np.median(image[expected]) == pytest.approx(abs(item - ground), abs=3)


@pytest.mark.parametrize("seed", range(3))
def test_an_item_is_found_on_a_floor(seed: int, expected: NDArray[np.bool_]) -> None:
    picture, inside = photo(seed)
    assert overlap(find_item(np.asarray(picture)) > 0, inside) > 0.9
    image = prepare(picture).image
    assert overlap(image > 85, expected) > 0.85  # half as light as an item usually is
    assert 150 < np.median(image[image > 0]) < 195  # the data set's grey levels
    assert np.array_equal(image, prepare(picture).image)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright(orientation: int) -> None:
    picture, _ = photo()
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.get(orientation)
    if lying:  # the transposition that undoes the one which the tag asks for
        undo = Image.Exif()
        undo[0x0112] = lying
        picture.getexif().update(undo)
        turned = ImageOps.exif_transpose(picture)
    else:
        turned = picture
    turned.getexif().clear()
    found = load_picture(saved(turned, "PNG", exif=exif))
    assert np.array_equal(np.asarray(found), np.asarray(photo()[0]))


KINDS: dict[str, Callable[[], io.BytesIO]] = {
    "png": lambda: saved(drawn((40,) * 3, (255,) * 3), "PNG"),
    "jpeg": lambda: saved(drawn((40,) * 3, (255,) * 3), "JPEG", quality=90),
    "webp": lambda: saved(drawn((40,) * 3, (255,) * 3), "WEBP"),
    "bmp": lambda: saved(drawn((40,) * 3, (255,) * 3), "BMP"),
    "grey": lambda: saved(drawn(40, 255, "L"), "PNG"),
    "one bit": lambda: saved(drawn(0, 1, "1"), "PNG"),
    "cmyk": lambda: saved(drawn((0, 0, 0, 215), (0, 0, 0, 0), "CMYK"), "TIFF"),
    "palette": lambda: saved(drawn((40,) * 3, (255,) * 3).quantize(), "GIF"),
    "transparent": lambda: saved(drawn((40, 40, 40, 255), (9, 9, 9, 0), "RGBA"), "PNG"),
    "transparent, light": lambda: saved(drawn((230,) * 3 + (255,), (9, 9, 9, 0), "RGBA"), "PNG"),
    "16 bit": lambda: saved(
        Image.fromarray(np.asarray(drawn(40, 255, "L"), np.uint16) * 257), "PNG"
    ),
    "animated": lambda: saved(
        drawn((40,) * 3, (255,) * 3),
        *("GIF",),
        save_all=True,
        append_images=[Image.new("RGB", (160, 200), "red")],
    ),
    "huge": lambda: saved(drawn(40, 255, "L", 4000), "PNG"),
    "small": lambda: saved(drawn(40, 255, "L", 40), "PNG"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_is_read(kind: str, expected: NDArray[np.bool_]) -> None:
    image = prepare(load_picture(KINDS[kind]())).image
    assert overlap(image > 60, expected) > 0.85


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (700, 3), (28, 28)])
@pytest.mark.parametrize("colour", ["black", "white", "grey"])
def test_a_picture_of_nothing_is_refused(size: tuple[int, int], colour: str) -> None:
    with pytest.raises(DataError, match="nothing on the picture"):
        prepare(Image.new("RGB", size, colour))


@pytest.mark.parametrize("size", [(2, 1), (3, 700), (700, 3), (28, 28)])
def test_a_picture_of_next_to_nothing_is_no_trouble(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "black")
    picture.putpixel((0, 0), (90, 90, 90))
    assert prepare(picture).image.shape == (28, 28)


def test_what_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "notes.png"
    text.write_text("no picture")
    with pytest.raises(DataError, match=r"notes\.png is not a picture"):
        load_picture(text)
    with pytest.raises(DataError, match=r"There is no file .*nowhere\.png"):
        load_picture(tmp_path / "nowhere.png")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(saved(photo()[0], "JPEG").read()[:1500])
    with pytest.raises(DataError, match=r"cut\.jpg .*give a whole picture"):
        load_picture(cut)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 160 * 200 - 1)
    with pytest.raises(DataError, match=r"has more than 31,999 pixels; make it smaller"):
        load_picture(saved(photo()[0], "PNG"))


def enlarged(image: NDArray[np.uint8]) -> io.BytesIO:
    """Inverted, ten times as large, in a frame: as found in a shop's catalogue."""
    picture = Image.fromarray(255 - image).resize((280, 280), Image.Resampling.BICUBIC)
    framed = ImageOps.expand(ImageOps.expand(picture, 40, "white"), 12, "navy")
    return saved(framed.convert("RGB"), "JPEG", quality=90)


@pytest.fixture(scope="module")
def lenet(real_data: Path) -> tuple[torch.nn.Module, Split]:
    """A network that knows the real data a little, and the test images."""
    data = fb.load_data(data_dir=real_data)
    model = fb.build_model("lenet", seed=0)
    few = Split(data.train.images[:20_000], data.train.labels[:20_000])
    fb.fit(model, few, fb.load_recipe("default").override(epochs=1, batch_size=64), seed=0)
    return model, data.test


@pytest.mark.slow
@pytest.mark.parametrize(
    ("save", "count", "points"),
    [(lambda image: saved(Image.fromarray(image), "PNG"), 4000, 0.5), (enlarged, 1000, 3)],
    ids=["png", "enlarged"],
)
def test_the_data_sets_own_images_keep_their_accuracy(
    save: Callable[[NDArray[np.uint8]], io.BytesIO],
    count: int,
    points: float,
    lenet: tuple[torch.nn.Module, Split],
) -> None:
    model, whole = lenet
    test = Split(whole.images[:count], whole.labels[:count])
    images = np.stack([prepare(load_picture(save(image))).image for image in test.images.numpy()])
    direct = fb.evaluate(model, test).accuracy
    assert direct > 0.5
    prepared = fb.evaluate(model, Split(torch.from_numpy(images), test.labels)).accuracy
    assert abs(prepared - direct) <= points / 100
