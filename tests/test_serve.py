"""The page and its interface, over HTTP and in a real browser."""

import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import BLANK, PATIENCE, SHIRT, photo, running
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pillow_heif import register_heif_opener

from fashionbench.errors import UsageError
from fashionbench.experiments.planning import plan
from fashionbench.experiments.resume import train_in_folder
from fashionbench.serve import answers, schemas
from fashionbench.serve.app import MOST_BYTES, build_app, run_server
from fashionbench.serve.served_models import ServedModels, load_served_models

pytest.importorskip("fastapi", reason="needs the extra serve")
from fastapi.testclient import TestClient

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def served(run_folder: Path) -> ServedModels:
    return load_served_models(run_folder)


@pytest.fixture(scope="module")
def client(served: ServedModels) -> TestClient:
    return TestClient(build_app(served), base_url="http://127.0.0.1", raise_server_exceptions=False)


def test_a_file_and_json_are_answered_alike(client: TestClient, served: ServedModels) -> None:
    form = client.post("/predict", files={"picture": ("shirt.png", SHIRT)})
    assert form.status_code == 200
    assert form.json() == json.loads(answers.answer_picture(served, SHIRT).model_dump_json())
    pixels = client.post("/predict", json={"pixels": form.json()["prepared"]})
    assert pixels.json()["answers"] == form.json()["answers"]


def test_models_health_and_report(client: TestClient, served: ServedModels) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    about = client.get("/models").json()
    assert [model["name"] for model in about["models"]] == [shown.name for shown in served.models]
    assert about["disagreements"] == len(served.disagreements)
    report = client.get("/report")
    assert report.text == (served.report or Path()).read_text()
    assert "default-src 'none'" in report.headers["content-security-policy"]


def test_the_images_of_contention_come_a_few_at_a_time(
    client: TestClient, served: ServedModels
) -> None:
    seen: list[dict[str, Any]] = []
    while page := client.get("/disagreements", params={"start": len(seen)}).json():
        seen += page
    assert [image["index"] for image in seen] == served.disagreements.tolist()
    assert all(len(set(image["called"])) > 1 for image in seen)


def test_every_answer_is_guarded(client: TestClient) -> None:
    for address in ("/", "/app.js", "/style.css", "/models", "/nowhere"):
        headers = client.get(address).headers
        assert "default-src" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_the_page_needs_nothing_from_elsewhere(client: TestClient) -> None:
    for address in ("/", "/app.js", "/style.css"):
        assert not re.search(r"https?://(?!www\.w3\.org)", client.get(address).text)
    page = client.get("/").text
    for linked in re.findall(r'(?:href|src)="(/[^"]*)"', page):
        assert client.get(linked).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (
            {"content": b"x" * (MOST_BYTES + 1), "headers": {"Content-Type": "application/json"}},
            413,
        ),
        ({"content": SHIRT, "headers": {"Content-Type": "image/png"}}, 415),
        ({"content": b"no form", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ({"files": {"file": SHIRT}}, 422),
        ({"files": {"picture": b"no picture"}}, 415),
        ({"json": {"picture": "../../etc/passwd"}}, 400),
    ],
)
def test_what_is_no_picture_is_refused_in_a_sentence(
    body: dict[str, Any], status: int, client: TestClient
) -> None:
    answer = client.post("/predict", **body)
    assert answer.status_code == status
    assert answer.json()["detail"].endswith(".")


def test_the_description_names_every_answer(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert {"/predict", "/why", "/models", "/disagreements", "/health"} == {*described["paths"]}
    predict = described["paths"]["/predict"]["post"]
    assert {*predict["requestBody"]["content"]} == {"application/json", "multipart/form-data"}
    assert {"200", "400", "413", "415", "422"} <= {*predict["responses"]}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    address=st.sampled_from(["/predict", "/why"]),
    kind=st.sampled_from(
        ["application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain"]
    ),
    body=st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["picture", "pixels", "model"]), inner)
            ),
            max_leaves=9,
        ).map(lambda value: json.dumps(value).encode()),
        st.binary(max_size=90).map(
            lambda part: (
                b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a"'
                b"\r\n\r\n" + part + b"\r\n--x--\r\n"
            )
        ),
    ),
)
def test_nothing_sent_breaks_the_server(
    address: str, kind: str, body: bytes, client: TestClient
) -> None:
    answer = client.post(address, content=body, headers={"Content-Type": kind})
    assert answer.status_code in (400, 413, 415, 422)
    assert isinstance(answer.json()["detail"], str)


def test_one_question_does_not_hold_up_another(
    served: ServedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)
    answer = answers.answer_picture

    def slow(served: ServedModels, content: bytes) -> schemas.Answers:
        both.wait()  # nobody passes unless two are here at once
        return answer(served, content)

    monkeypatch.setattr(answers, "answer_picture", slow)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    with (
        TestClient(build_app(served), base_url="http://127.0.0.1") as client,
        ThreadPoolExecutor(2) as pool,
    ):
        asked = [pool.submit(client.post, "/predict", files={"picture": SHIRT}) for _ in range(2)]
        assert [each.result().status_code for each in asked] == [200, 200]


def test_a_port_in_use_is_told(run_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} .*--port"):
            run_server(run_folder, "127.0.0.1", port, announce=print)


@pytest.fixture(scope="module")
def address(run_folder: Path) -> Iterator[str]:
    with serving(run_folder) as found:
        yield found


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The page as the command serves it; ended by Ctrl-C, cleanly."""
    arguments = (sys.executable, "-m", "fashionbench", "serve", folder, "--port", "0")
    with running(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"(http://127\.0\.0\.1:\d+)  \(Ctrl-C ends it\)", line)
        assert found, line
        yield found[1]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert "Traceback" not in errors


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=1000 * PATIENCE
        )
        yield found
        found.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    with visiting(browser, address) as tab:
        tab.wait_for_selector("#thumbs li")
        yield tab


@contextmanager
def visiting(browser: Any, address: str) -> Iterator[Any]:
    """The page in Chromium; a message on its console fails the test."""
    messages: list[str] = []
    tab = browser.new_page()
    tab.set_default_timeout(1000 * PATIENCE)
    tab.on("console", lambda message: messages.append(message.text))
    tab.on("pageerror", lambda error: messages.append(str(error)))
    tab.goto(address)
    yield tab
    tab.close()
    # What is refused on purpose is all that the browser may complain of.
    assert [text for text in messages if "415" not in text] == []


def test_a_picture_is_chosen_and_every_model_answers(page: Any, served: ServedModels) -> None:
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": SHIRT})
    page.wait_for_selector("#answer:not([hidden])")
    expected = answers.answer_picture(served, SHIRT).answers
    assert expected[0].label in page.inner_text("#verdict")
    assert page.locator("#bars li").count() == 10
    cards = page.locator("#cards .card")
    assert cards.count() == len(served.models)
    for index, answer in enumerate(expected):
        assert answer.label in cards.nth(index).inner_text()
    cards.nth(1).click()
    page.wait_for_function(
        "label => document.querySelector('#verdict').textContent.includes(label)",
        arg=expected[1].label,
    )


def test_a_model_of_colored_pictures_is_served_in_color(tmp_path: Path, browser: Any) -> None:
    for number, (name, color) in enumerate({"red": (200, 0, 0), "blue": (0, 0, 200)}.items()):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for light in range(10):
            picture = Image.new("RGB", (20, 20), tuple(part + light for part in color))
            picture.save(tmp_path / "mine" / name / f"{number}{light}.png")
    ((job,),) = plan(["linear"], ["default"], 1, dataset=str(tmp_path / "mine")).entries()
    train_in_folder(job, tmp_path / "trained", device="cpu")
    with serving(tmp_path / "trained") as address, visiting(browser, address) as page:
        page.set_input_files("#file", str(tmp_path / "mine" / "blue" / "10.png"))
        page.wait_for_selector("#answer:not([hidden])")
        assert page.evaluate(FIRST_PIXEL) == [20, 20, 0, 0, 200, 255]
        assert not page.is_visible("#tabs")
        assert "clothing" not in page.inner_text("body")


FIRST_PIXEL = """() => {
  const seen = document.querySelector("#prepared");
  return [seen.width, seen.height, ...seen.getContext("2d").getImageData(0, 0, 1, 1).data];
}"""


def test_a_drawing_is_answered_with_the_mouse_and_with_keys_alone(page: Any) -> None:
    page.focus("#tab-photo")
    page.keyboard.press("ArrowRight")
    box = page.locator("#canvas").bounding_box()
    left, top, side = box["x"], box["y"], box["width"]
    page.mouse.move(left + 0.3 * side, top + 0.2 * side)
    page.mouse.down()
    for x, y in ((0.7, 0.2), (0.7, 0.8), (0.3, 0.8), (0.3, 0.2)):
        page.mouse.move(left + x * side, top + y * side, steps=4)
    page.mouse.up()
    page.wait_for_selector("#answer:not([hidden])")
    assert page.get_attribute("#photo", "src").startswith("data:image/png")
    with page.expect_response("**/predict"):
        page.click("#undo")
        page.focus("#canvas")
        for key in (" ", *["ArrowDown"] * 8, *["ArrowLeft"] * 5, " "):
            page.keyboard.press(key)


def test_a_phone_stays_where_one_draws_and_a_second_finger_draws_nothing(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 700})
    page.click("#tab-draw")
    page.evaluate("document.querySelector('#canvas').scrollIntoView({behavior: 'instant'})")
    before = page.evaluate("window.scrollY")
    touch = """([kind, id, primary, x, y]) => {
        const board = document.querySelector('#canvas');
        board.setPointerCapture = () => {};
        board.hasPointerCapture = () => true;
        const box = board.getBoundingClientRect();
        board.dispatchEvent(new PointerEvent(kind, {
            pointerId: id, isPrimary: primary, button: 0, bubbles: true,
            clientX: box.left + x * box.width, clientY: box.top + y * box.height,
        }));
    }"""
    for kind, *where in (("pointerdown", 0.3, 0.2), ("pointermove", 0.3, 0.8)):
        page.evaluate(touch, [kind, 1, True, *where])
    drawn = "document.querySelector('#canvas').toDataURL()"
    stroke, asked = page.evaluate(drawn), []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(touch, ["pointerdown", 2, False, 0.9, 0.9])
    page.evaluate(touch, ["pointerup", 2, False, 0.9, 0.9])
    assert page.evaluate(drawn) == stroke
    assert asked == []
    with page.expect_response("**/why"):
        page.evaluate(touch, ["pointerup", 1, True, 0.3, 0.8])
    page.wait_for_selector("#answer:not([hidden])")
    assert page.evaluate("window.scrollY") == before


def test_an_image_of_contention_is_opened(page: Any, served: ServedModels) -> None:
    page.locator("#thumbs button").first.click()
    page.wait_for_selector("#answer:not([hidden])")
    shown = page.evaluate(
        """() => { const c = document.querySelector('#prepared');
        return [...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 == 0)
        }"""
    )
    assert served.test_set is not None
    index = served.disagreements[0]
    assert shown == served.test_set.images[index].flatten().tolist()
    truth = served.test_set.classes[served.test_set.labels[index]]
    assert f"The true class is {truth}." in page.inner_text("#doubt")
    assert ", by " in page.inner_text("#verdict")


def test_what_is_no_picture_is_told_and_the_page_lives_on(page: Any) -> None:
    page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"hello"})
    page.wait_for_selector("#problem:not([hidden])")
    assert "cannot be read as a picture" in page.inner_text("#problem")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": SHIRT})
    page.wait_for_selector("#problem", state="hidden")


def test_several_photos_are_answered_and_another_mask_is_tapped(
    page: Any, served: ServedModels
) -> None:
    """One is HEIC, which Chromium cannot show: its picture comes back from the server."""
    register_heif_opener()
    files = []
    for seed, kind in enumerate(("PNG", "HEIF", "PNG")):
        file = io.BytesIO()
        photo(seed)[0].save(file, kind)
        files.append({"name": f"{seed}.heic", "mimeType": "", "buffer": file.getvalue()})
    page.set_input_files("#file", files)
    ready = "() => [...document.querySelectorAll('#pictures img')].length === 3"
    page.wait_for_function(ready)
    page.locator("#pictures button").nth(1).click()
    page.wait_for_function("() => document.querySelector('#photo').naturalWidth === 160")
    expected = answers.answer_picture(served, files[1]["buffer"])
    assert page.locator("#ways .way").count() == 1 + len(expected.masks)
    page.locator("#ways .way").nth(2).click()
    answer = expected.masks[1].answers[expected.rely_on]
    share = f"{100 * answer.chances[0].probability:.1f} %"
    page.wait_for_function(
        "share => document.querySelector('#verdict').textContent.includes(share)", arg=share
    )
    shown = page.evaluate(
        "() => [...document.querySelector('#prepared').getContext('2d')"
        ".getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)"
    )
    assert shown == np.array(expected.masks[1].prepared).flatten().tolist()


def test_nothing_is_wider_than_a_phone(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": SHIRT})
    page.wait_for_selector("#answer:not([hidden])")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_why_is_answered(client: TestClient) -> None:
    answer = client.post("/why", json={"pixels": BLANK, "model": 0, "class_index": 1})
    assert len(answer.json()["importance"]) == 28
