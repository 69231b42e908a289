"""The data are the released files or nothing: checked against torchvision and a local server."""

import gzip
import hashlib
import shutil
import struct
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from fashionbench.data import fashion_mnist
from fashionbench.data.datasets import load_arrays, load_data
from fashionbench.data.fashion_mnist import RawFile
from fashionbench.errors import DataError

MIRRORS = fashion_mnist.MIRRORS
NAMES = [file.name for split in fashion_mnist.FILES.values() for file in split]
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES


@pytest.fixture(autouse=True)
def no_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of this file can reach the network."""
    monkeypatch.setattr(fashion_mnist, "MIRRORS", ())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def idx(*shape: int, values: bytes) -> bytes:
    return gzip.compress(struct.pack(f">{1 + len(shape)}i", 2048 + len(shape), *shape) + values)


def release(count: int, seed: int) -> tuple[bytes, bytes]:
    """Packed images and labels of a split in small."""
    pixels = np.random.default_rng(seed).integers(0, 256, count * 784, dtype=np.uint8)
    labels = bytes(i % 10 for i in range(count))
    return idx(count, 28, 28, values=pixels.tobytes()), idx(count, values=labels)


CONTENTS = dict(zip(NAMES, (*release(30, seed=0), *release(20, seed=1)), strict=True))


def published(contents: dict[str, bytes]) -> dict[str, tuple[RawFile, ...]]:
    """A table of files in which `contents` are the official ones."""
    files = [
        RawFile(name, hashlib.md5(contents[name]).hexdigest(), shape)
        for name, shape in zip(NAMES, [(30, 28, 28), (30,), (20, 28, 28), (20,)], strict=True)
    ]
    return {"train": tuple(files[:2]), "test": tuple(files[2:])}


def write(root: Path, contents: dict[str, bytes]) -> Path:
    folder = root / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def read_back(folder: Path) -> dict[str, bytes]:
    """What lies in a data folder, but for the lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release of 30 and 20 images takes the official one's place."""
    monkeypatch.setattr(fashion_mnist, "FILES", published(CONTENTS))


class Server(ThreadingHTTPServer):
    """Serves `CONTENTS` under any folder, but for /missing/, /cut/ and /silent/."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: Counter[str] = Counter()
        self.released = threading.Event()

    def mirror(self, folder: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{folder}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests[self.path] += 1
        _, folder, name = self.path.split("/")
        if folder == "silent":
            self.server.released.wait(5)
            return
        content = CONTENTS[name]
        self.send_response(404 if folder == "missing" else 200)
        self.send_header("Content-Length", str(len(content) // (2 if folder == "short" else 1)))
        self.end_headers()
        # "cut" breaks its promise of a length, "short" promises half a file and keeps it.
        self.wfile.write(content[: len(content) // (2 if folder in ("cut", "short") else 1)])

    def log_message(self, *arguments: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


# The real data, against torchvision


@pytest.mark.parametrize("train", [True, False])
def test_images_and_labels_are_torchvisions(train: bool, real_data: Path, tmp_path: Path) -> None:
    for packed in (real_data / "FashionMNIST" / "raw").glob("*.gz"):
        unpacked = tmp_path / "FashionMNIST" / "raw" / packed.stem
        unpacked.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(packed) as source, unpacked.open("wb") as target:
            shutil.copyfileobj(source, target)
    reference = torchvision.datasets.FashionMNIST(tmp_path, train=train)
    dataset = load_data(data_dir=real_data)
    split = dataset.train if train else dataset.test
    assert torch.equal(split.images, reference.data)
    assert torch.equal(split.labels, reference.targets)
    assert (split.images.dtype, split.labels.dtype) == (torch.uint8, torch.int64)
    assert list(dataset.classes) == reference.classes


def test_the_tables_are_torchvisions() -> None:
    official = [(file.name, file.md5) for split in fashion_mnist.FILES.values() for file in split]
    assert official == torchvision.datasets.FashionMNIST.resources
    assert {md5 for _, md5 in torchvision.datasets.MNIST.resources} == fashion_mnist.MNIST_MD5
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in MIRRORS)


# Reading


@pytest.mark.usefixtures("small")
def test_a_folder_with_the_files_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    folder = write(tmp_path, CONTENTS | {"notes.txt": b"mine"})
    dataset = load_data(data_dir=tmp_path)
    for split, names in ((dataset.train, NAMES[:2]), (dataset.test, NAMES[2:])):
        images, labels = (gzip.decompress(CONTENTS[name]) for name in names)
        assert split.images.numpy().tobytes() == images[16:]
        assert bytes(split.labels.tolist()) == labels[8:]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*NAMES, "notes.txt"])


@pytest.mark.parametrize("within", ["", "FashionMNIST", "FashionMNIST/raw"])
def test_the_root_may_be_named_from_within(within: str, tmp_path: Path) -> None:
    usual = tmp_path / "FashionMNIST" / "raw"
    assert fashion_mnist.raw_folder(tmp_path / within / "absent") == (
        tmp_path / within / "absent" / "FashionMNIST" / "raw"
    )
    usual.mkdir(parents=True)
    (usual / TRAIN_IMAGES).touch()
    assert fashion_mnist.raw_folder(tmp_path / within) == usual


@pytest.mark.usefixtures("small")
def test_one_split_alone_needs_only_its_own_files_to_be_right(tmp_path: Path) -> None:
    write(tmp_path, CONTENTS | {TRAIN_IMAGES: b"damaged"})
    [(images, labels)] = load_arrays("fashion-mnist", tmp_path, ["test"])
    assert images.tobytes() == gzip.decompress(CONTENTS[TEST_IMAGES])[16:]
    assert labels.tolist() == [*range(10)] * 2


DAMAGED = {
    "cut short": (TRAIN_IMAGES, CONTENTS[TRAIN_IMAGES][:5_000], "cut short"),
    "empty": (TEST_LABELS, b"", "does not start with magic number and shape (2049, 20)"),
    "no gzip": (TEST_IMAGES, b"<html>Please log in</html>", "no gzip file"),
    "a damaged bit": (TEST_LABELS, CONTENTS[TEST_LABELS][:-6] + b"\0" * 6, "no gzip file"),
    "swapped": (TRAIN_LABELS, CONTENTS[TEST_LABELS], f"is {TEST_LABELS} under another name"),
    "other images": (TEST_IMAGES, release(20, seed=9)[0], "the released file"),
}
UNFIT = {
    "images for labels": (
        TEST_LABELS,
        idx(20, 28, 28, values=bytes(784 * 20)),
        "magic number and shape (2049, 20)",
    ),
    "too few": (
        TRAIN_LABELS,
        idx(20, values=bytes(range(10)) * 2),
        "magic number and shape (2049, 30)",
    ),
    "other size": (
        TEST_IMAGES,
        idx(20, 32, 32, values=bytes(20 * 1024)),
        "shape (2051, 20, 28, 28)",
    ),
    "cut before packing": (TEST_IMAGES, idx(20, 28, 28, values=bytes(99)), "99 bytes where 15,680"),
    "a label 10": (TEST_LABELS, idx(20, values=bytes(range(1, 11)) * 2), "labels 0 to 9"),
    "unequal classes": (TEST_LABELS, idx(20, values=bytes(20)), "in equal numbers"),
}


@pytest.mark.parametrize(("name", "content", "says"), DAMAGED.values(), ids=DAMAGED)
@pytest.mark.usefixtures("small")
def test_a_wrong_file_is_named_and_neither_used_nor_replaced(
    name: str, content: bytes, says: str, tmp_path: Path, server, monkeypatch
) -> None:
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (server.mirror("good"),))
    folder = write(tmp_path, CONTENTS | {name: content})
    with pytest.raises(DataError) as caught:
        load_data(data_dir=tmp_path)
    assert str(folder / name) in str(caught.value)
    assert says in str(caught.value)
    assert "Delete it" in str(caught.value)
    assert read_back(folder) == CONTENTS | {name: content}
    assert not server.requests


@pytest.mark.parametrize(("name", "content", "says"), UNFIT.values(), ids=UNFIT)
def test_content_is_checked_whatever_its_sum(
    name: str, content: bytes, says: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(fashion_mnist, "FILES", published(CONTENTS | {name: content}))
    folder = write(tmp_path, CONTENTS | {name: content})
    with pytest.raises(DataError) as caught:
        load_data(data_dir=tmp_path)
    assert str(folder / name) in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.usefixtures("small")
def test_mnists_files_are_recognised_and_all_named(tmp_path: Path, monkeypatch) -> None:
    digits = dict(zip(NAMES, (*release(30, seed=5), *release(20, seed=6)), strict=True))
    # The labels of the small release are the same in both; give these others.
    digits[TRAIN_LABELS] = idx(30, values=bytes(range(9, -1, -1)) * 3)
    digits[TEST_LABELS] = idx(20, values=bytes(range(9, -1, -1)) * 2)
    sums = {hashlib.md5(content).hexdigest() for content in digits.values()}
    monkeypatch.setattr(fashion_mnist, "MNIST_MD5", sums)
    folder = write(tmp_path, digits)
    with pytest.raises(DataError) as caught:
        load_data(data_dir=tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines] == [str(folder / name) for name in NAMES]
    assert all("MNIST's file (handwritten digits)" in line for line in lines)


# Fetching


@pytest.mark.parametrize("broken", ["missing", "cut", "short", "silent"])
@pytest.mark.usefixtures("small")
def test_files_come_from_the_next_mirror_when_one_fails(
    broken: str, tmp_path: Path, server, monkeypatch, capfd
) -> None:
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (server.mirror(broken), server.mirror("good")))
    monkeypatch.setattr(fashion_mnist, "TIMEOUT_SECONDS", 0.3)
    assert len(load_data(data_dir=tmp_path).train) == 30
    assert read_back(tmp_path / "FashionMNIST" / "raw") == CONTENTS
    assert {path.split("/")[1] for path in server.requests} == {broken, "good"}
    assert server.requests.total() == 5, "a mirror that failed is asked once"
    assert capfd.readouterr() == ("", ""), "no progress bar and no log where nobody looks"


@pytest.mark.parametrize("broken", ["missing", "cut", "short", "silent"])
@pytest.mark.usefixtures("small")
def test_a_failed_download_leaves_nothing_and_says_what_to_do(
    broken: str, tmp_path: Path, server, monkeypatch
) -> None:
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (server.mirror(broken),))
    monkeypatch.setattr(fashion_mnist, "TIMEOUT_SECONDS", 0.3)
    with pytest.raises(DataError) as caught:
        load_data(data_dir=tmp_path)
    folder = tmp_path / "FashionMNIST" / "raw"
    for part in (str(folder), server.mirror(broken), "--data", "FASHIONBENCH_DATA", "silhouettes"):
        assert part in str(caught.value)
    assert read_back(folder) == {}


@pytest.mark.usefixtures("small")
def test_only_absent_files_are_fetched(tmp_path: Path, server, monkeypatch) -> None:
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (server.mirror("good"),))
    folder = write(tmp_path, {TRAIN_IMAGES: b"a person's own", TEST_LABELS: CONTENTS[TEST_LABELS]})
    with pytest.raises(DataError, match=TRAIN_IMAGES):
        load_data(data_dir=tmp_path)
    assert server.requests == {f"/good/{TRAIN_LABELS}": 1, f"/good/{TEST_IMAGES}": 1}
    assert read_back(folder) == CONTENTS | {TRAIN_IMAGES: b"a person's own"}


@pytest.mark.usefixtures("small")
def test_those_who_ask_at_once_fetch_each_file_once(tmp_path: Path, server, monkeypatch) -> None:
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (server.mirror("good"),))
    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load_arrays, "fashion-mnist", tmp_path) for _ in range(4)]
    assert all(len(load.result()[0][1]) == 30 for load in loads)
    assert server.requests == {f"/good/{name}": 1 for name in NAMES}


@pytest.mark.usefixtures("small")
def test_without_download_absent_files_are_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lacks train-images"):
        load_data(data_dir=tmp_path, download=False)
    assert not list(tmp_path.iterdir())


def test_a_root_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="nothing can be written there: Not a directory"):
        load_data(data_dir=tmp_path / "file")


# The place


def test_the_root_is_the_one_given_else_the_environments_else_the_cache(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("FASHIONBENCH_DATA", str(tmp_path / "environment"))
    assert fashion_mnist.find_data_dir(tmp_path / "given") == tmp_path / "given"
    assert fashion_mnist.find_data_dir("~/given") == Path.home() / "given"
    assert fashion_mnist.find_data_dir() == tmp_path / "environment"
    monkeypatch.delenv("FASHIONBENCH_DATA")
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert fashion_mnist.find_data_dir() == tmp_path / "fashionbench"
