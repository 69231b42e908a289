"""A page on this machine that classifies pictures and shows why, and the interface behind it.

Nothing that comes in is written to disk, and no name or path from outside is ever opened:
models are numbers, pages are read once at the start.
"""

import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import fashionbench
from fashionbench.errors import UsageError
from fashionbench.serve import answers
from fashionbench.serve.served_models import Gallery, load_gallery

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

__all__ = ["MOST_BYTES", "build_app", "run_server"]

MOST_BYTES = 50_000_000
"""Of one request: a photo of a phone may have so many."""
PAGE = 14
"""Test images in one answer."""
LOCAL = ("127.0.0.1", "localhost", "::1")
JSON, FORM = "application/json", "multipart/form-data"

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
# The report is one file with its styles in it, and without scripts.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"

WEB = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/app.js": ("app.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def run_server(where: Path | None, host: str, port: int) -> None:
    """Load the models and serve the page until Ctrl-C. Raises UsageError for a port in use."""
    import typer

    try:
        import uvicorn
    except ImportError:
        raise _missing("uvicorn") from None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"Nothing can be served at {host}, port {port} ({error.strerror}); "
            "choose another with --port or --host."
        ) from None
    with listening:
        gallery = load_gallery(where)
        app = build_app(gallery, local=host in LOCAL)
        for sentence in gallery.missing:
            typer.echo(f"! {sentence}")
        shown = f"[{host}]" if ":" in host else host
        typer.echo(f"http://{shown}:{listening.getsockname()[1]}  (Ctrl-C ends it)")
        if host not in LOCAL:
            typer.echo("! Whoever reaches this machine can use the page.")
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:
            typer.echo("Stopped.")


def build_app(gallery: Gallery, *, local: bool = True) -> "FastAPI":
    """The page and its interface; `local` answers only to this machine's own names."""
    try:
        import python_multipart  # noqa: F401
        from fastapi import FastAPI
    except ImportError as error:
        raise _missing(error.name or "fastapi") from None

    app = FastAPI(
        title="fashionbench",
        version=fashionbench.__version__,
        description="What trained models make of a picture of one piece of clothing.",
        docs_url=None,
        redoc_url=None,
    )
    _add_guards(app, local)
    _add_pages(app, gallery)
    _add_models(app, gallery)
    _add_questions(app, gallery)
    return app


def _missing(name: str) -> UsageError:
    return UsageError(
        f"The page needs {name}, which is not installed; "
        "pip install 'fashionbench[serve]' brings it."
    )


def _add_guards(app: "FastAPI", local: bool) -> None:
    """Headers on every answer, errors as one sentence, only the host names that are meant."""
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    if local:
        # Against DNS rebinding: another site's name that has come to mean this machine.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL, "[::1]"])

    @app.middleware("http")
    async def add_headers(
        request: "Request", call_next: Callable[["Request"], Awaitable["Response"]]
    ) -> "Response":
        response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.exception_handler(answers.Refusal)
    async def refuse(_: "Request", error: answers.Refusal) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, error.status)

    @app.exception_handler(RequestValidationError)
    async def refuse_invalid(_: "Request", error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": answers.sentence(error.errors()[0])}, 422)


def _add_pages(app: "FastAPI", gallery: Gallery) -> None:
    from fastapi import Response

    def page(content: bytes, kind: str) -> Callable[[], Response]:
        return lambda: Response(content, media_type=kind)

    folder = files("fashionbench.serve") / "web"
    for address, (name, kind) in WEB.items():
        content = (folder / name).read_bytes()
        app.get(address, include_in_schema=False)(page(content, kind))

    @app.get("/report", include_in_schema=False)
    def report() -> Response:
        if gallery.report is None:
            raise answers.Refusal(404, "There is no report beside these models.")
        headers = {"Content-Security-Policy": REPORT_POLICY}
        return Response(gallery.report.read_bytes(), media_type="text/html", headers=headers)


def _add_models(app: "FastAPI", gallery: Gallery) -> None:
    from fastapi import Query

    disagreements = gallery.disagreements

    @app.get("/health")
    def health() -> dict[str, str]:
        """Whether the server answers."""
        return {"status": "ok"}

    @app.get("/models")
    def models() -> answers.About:
        """What is served."""
        return answers.about(gallery, len(disagreements))

    @app.get("/disagreements", responses={422: {"model": answers.Problem}})
    def disagree(start: Annotated[int, Query(ge=0, le=1_000_000)] = 0) -> list[answers.TestImage]:
        """Test images that the models call differently, from `start` on, a few at a time."""
        return [
            answers.test_image(gallery, index) for index in disagreements[start:][:PAGE].tolist()
        ]


def _add_questions(app: "FastAPI", gallery: Gallery) -> None:
    from anyio import CapacityLimiter, to_thread
    from fastapi import Request

    # Pictures are large once unpacked: as many at once as there are cores, the others wait.
    at_once = CapacityLimiter(os.cpu_count() or 1)

    @app.post(
        "/predict", **_documented({FORM: _form(), JSON: answers.Question.model_json_schema()})
    )
    async def predict(request: Request) -> answers.Answers:
        """What every model makes of a picture: a file, or JSON with one of two fields."""
        kind, body = await _limited_body(request, (FORM, JSON))
        if kind == JSON:
            return await to_thread.run_sync(answers.answer_json, gallery, body, limiter=at_once)
        picture = await _picture_of_form(request, body)
        return await to_thread.run_sync(answers.answer_picture, gallery, picture, limiter=at_once)

    @app.post("/why", **_documented({JSON: answers.WhyQuestion.model_json_schema()}))
    async def why(request: Request) -> answers.Why:
        """Which pixels of a prepared image speak for a class, by covering them in turn."""
        _, body = await _limited_body(request, (JSON,))
        return await to_thread.run_sync(answers.answer_why, gallery, body, limiter=at_once)


def _form() -> dict[str, Any]:
    file = {"type": "string", "format": "binary", "description": "a picture"}
    return {"type": "object", "properties": {"picture": file}, "required": ["picture"]}


def _documented(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the OpenAPI description says of a body that is read by hand, to limit its bytes."""
    content = {kind: {"schema": schema} for kind, schema in schemas.items()}
    return {
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
        "responses": {status: {"model": answers.Problem} for status in (400, 413, 415, 422)},
    }


async def _limited_body(request: "Request", kinds: tuple[str, ...]) -> tuple[str, bytes]:
    """The body's kind and its bytes. Raises Refusal for another kind, or too many."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in kinds:
        raise answers.Refusal(415, f"The body must be {' or '.join(kinds)}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise answers.Refusal(413, f"That is more than {MOST_BYTES // 1_000_000} MB.")
    return kind, bytes(body)


async def _picture_of_form(request: "Request", body: bytes) -> bytes:
    from starlette.datastructures import UploadFile
    from starlette.formparsers import MultiPartException, MultiPartParser

    class InMemory(MultiPartParser):
        spool_max_size = MOST_BYTES + 1  # nothing goes to disk

    async def once() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    try:
        form = await InMemory(request.headers, once(), max_files=1, max_fields=1).parse()
    except (MultiPartException, KeyError, ValueError, LookupError):
        raise answers.Refusal(
            400, "The form cannot be read; it has one part, a file `picture`."
        ) from None
    picture = form.get("picture")
    try:
        if not isinstance(picture, UploadFile):
            raise answers.Refusal(422, "The form has no file `picture`.")
        return await picture.read()
    finally:
        await form.close()
