"""Reading, verifying and fetching Fashion-MNIST, and the validation split."""

import gzip
import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.datasets import FashionMNIST

import fashionbench.data as data_module
from fashionbench.data import (
    FILES,
    OfficialFile,
    Split,
    data_root,
    describe,
    hold_out,
    load_data,
    stratified,
)
from fashionbench.errors import DataError, UsageError


def idx(values: np.ndarray) -> bytes:
    header = np.array([0x800 + values.ndim, *values.shape], ">i4").tobytes()
    return gzip.compress(header + values.astype(np.uint8).tobytes(), mtime=0)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small data set in the official format, and a table that expects it."""
    rng = np.random.default_rng(0)
    source = tmp_path / "source"
    source.mkdir()
    table = []
    for file in FILES:
        count = 100 if "train" in file.name else 20
        shape = (count, 28, 28) if "images" in file.name else ()
        values = rng.integers(0, 256, shape) if shape else np.arange(count) % 10
        packed = idx(values)
        (source / file.name).write_bytes(packed)
        table.append(OfficialFile(file.name, hashlib.md5(packed).hexdigest(), count))
    monkeypatch.setattr(data_module, "FILES", tuple(table))
    return source


def place(source: Path, root: Path) -> Path:
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in source.iterdir():
        (raw / file.name).write_bytes(file.read_bytes())
    return raw


def test_images_equal_torchvisions_bit_for_bit(real_data: Path, tmp_path: Path) -> None:
    raw = place(real_data / "FashionMNIST" / "raw", tmp_path)
    for archive in raw.glob("*.gz"):
        archive.with_suffix("").write_bytes(gzip.decompress(archive.read_bytes()))
    ours = load_data(root=real_data)
    for split, train in ((ours.train, True), (ours.test, False)):
        theirs = FashionMNIST(tmp_path, train=train)
        assert torch.equal(split.images, theirs.data)
        assert torch.equal(split.labels, theirs.targets)
    assert ours.classes == tuple(theirs.classes)


def test_mean_and_sd_are_the_published_ones(real_data: Path) -> None:
    summary = describe("fashion-mnist", real_data)
    assert (round(summary.mean, 4), round(summary.sd, 4)) == (0.2860, 0.3530)
    assert set(summary.classes.values()) == {(6000, 1000)}


def test_a_complete_folder_is_read_and_left_as_it_was(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = place(small, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    monkeypatch.setattr(data_module, "MIRRORS", ())
    loaded = load_data(root=tmp_path)
    assert (len(loaded.train), len(loaded.test)) == (100, 20)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    packed = gzip.decompress((raw / FILES[0].name).read_bytes())
    assert loaded.train.images.numpy().tobytes() == packed[16:]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda raw: cut(raw / FILES[0].name), "cut short"),
        (lambda raw: swap(raw / FILES[1].name, raw / FILES[3].name), f"content of {FILES[3].name}"),
        (lambda raw: (raw / FILES[2].name).write_bytes(b"hello"), "no gzip file"),
        (lambda raw: (raw / FILES[3].name).write_bytes(gzip.compress(b"x")), "something else"),
    ],
)
def test_a_wrong_file_is_named_and_never_used(
    damage, says: str, small: Path, tmp_path: Path
) -> None:
    damage(place(small, tmp_path))
    with pytest.raises(DataError, match=says) as refusal:
        load_data(root=tmp_path)
    assert "delete it" in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def swap(a: Path, b: Path) -> None:
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)


def test_mnists_files_are_recognised(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = place(small, tmp_path)
    (raw / FILES[0].name).write_bytes(b"digits")
    monkeypatch.setattr(data_module, "MNIST_MD5", {hashlib.md5(b"digits").hexdigest()})
    with pytest.raises(DataError, match="MNIST's"):
        load_data(root=tmp_path)


def test_the_table_of_mnists_sums_is_torchvisions() -> None:
    from torchvision.datasets import MNIST

    assert {md5 for _, md5 in MNIST.resources} == data_module.MNIST_MD5
    assert [(f.name, f.md5) for f in FILES] == FashionMNIST.resources


@pytest.mark.parametrize(
    "labels", [np.arange(100) % 11, np.zeros(100), np.arange(90) % 10], ids=["11", "one", "90"]
)
def test_content_is_checked_even_where_the_sum_fits(
    labels: np.ndarray, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = idx(labels)
    (place(small, tmp_path) / FILES[1].name).write_bytes(packed)
    table = list(data_module.FILES)
    table[1] = OfficialFile(FILES[1].name, hashlib.md5(packed).hexdigest(), 100)
    monkeypatch.setattr(data_module, "FILES", tuple(table))
    with pytest.raises(DataError, match="does not hold 100 labels of ten classes"):
        load_data(root=tmp_path)


class Server:
    """Mirrors on this machine that count what is asked of them."""

    def __init__(self, folder: Path) -> None:
        self.asked: Counter[str] = Counter()
        asked = self.asked

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                asked[self.path] += 1
                super().do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.http.server_port}/"


@pytest.fixture
def server(small: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    (small.parent / "broken").mkdir()
    for file in small.iterdir():
        (small.parent / "broken" / file.name).write_bytes(file.read_bytes()[:-50])
    server = Server(small.parent)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    mirrors = tuple(server.address + name for name in ("absent/", "broken/", "source/"))
    monkeypatch.setattr(data_module, "MIRRORS", mirrors)
    yield server
    server.http.shutdown()
    server.http.server_close()


def test_absent_files_come_from_the_first_mirror_that_has_them_right(
    server: Server, tmp_path: Path
) -> None:
    loaded = load_data(root=tmp_path / "new")
    assert (len(loaded.train), len(loaded.test)) == (100, 20)
    assert all(server.asked[f"/source/{file.name}"] == 1 for file in FILES)
    kept = {path.name for path in (tmp_path / "new").rglob("*.gz")}
    assert kept == {file.name for file in FILES}
    load_data(root=tmp_path / "new")
    assert sum(server.asked.values()) == 12


def test_two_at_once_fetch_each_file_once(server: Server, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def load() -> None:
        try:
            load_data(root=tmp_path / "new")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert all(server.asked[f"/source/{file.name}"] == 1 for file in FILES)


def test_without_any_mirror_the_places_and_the_remedy_are_told(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_module, "MIRRORS", data_module.MIRRORS[:2])
    with pytest.raises(DataError) as refusal:
        load_data(root=tmp_path / "new")
    for expected in (str(tmp_path / "new"), "/absent/", "/broken/", "--data", "silhouettes"):
        assert expected in str(refusal.value)
    assert list((tmp_path / "new").rglob("*.gz")) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be put there"):
        load_data(root=tmp_path / "file")


def test_the_root_is_the_flag_else_the_variable_else_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FASHIONBENCH_DATA", "/from/variable")
    assert data_root("/from/flag") == Path("/from/flag")
    assert data_root() == Path("/from/variable")
    monkeypatch.delenv("FASHIONBENCH_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", "/from/cache")
    assert "fashionbench" in str(data_root())


def test_an_unknown_data_set_is_refused() -> None:
    with pytest.raises(UsageError, match="'mnist'; there are fashion-mnist, silhouettes"):
        load_data("mnist")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=2, max_size=200), st.data())
def test_every_class_gives_its_share(labels: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(labels)))
    held = stratified(np.array(labels), count)
    assert held.sum() == count
    for k in set(labels):
        members = np.array(labels) == k
        assert abs((held & members).sum() - count * members.mean()) <= 1


def test_the_split_takes_those_with_the_lowest_hashes_of_each_class(silhouettes) -> None:
    training, validation = hold_out(silhouettes.train, 1000)
    assert (len(training), len(validation)) == (5000, 1000)
    held = []
    for k in range(10):
        members = (silhouettes.train.labels == k).nonzero().flatten().tolist()
        members.sort(key=lambda i: hashlib.sha256(f"validation {i}".encode()).digest())
        held += members[:100]
    assert torch.equal(validation.images, silhouettes.train.images[sorted(held)])


def test_none_held_out_leaves_everything_and_too_many_are_refused(few: Split) -> None:
    training, validation = hold_out(few, 0)
    assert (len(training), len(validation)) == (500, 0)
    with pytest.raises(UsageError, match="500 validation images cannot be held out of 500"):
        hold_out(few, 500)
