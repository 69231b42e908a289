"""The page that classifies pictures and shows why, and the HTTP interface behind it.

Nothing that comes in is written to disk, and no name or path from outside is ever opened:
models are numbers, pages are read once at the start.
"""

import logging
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fashionbench.errors import MissingPackage, UsageError
from fashionbench.serve import answers, schemas
from fashionbench.serve.served_models import ServedModels, load_served_models

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

__all__ = ["MOST_BYTES", "build_app", "run_server"]

logger = logging.getLogger(__name__)

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


def run_server(where: Path | None, host: str, port: int, announce: Callable[[str], object]) -> None:
    """Load the models and serve the page until Ctrl-C; `announce` is told its address.

    Port 0 is one that is free. Raises UsageError for an address that cannot be listened on.
    """
    try:
        import uvicorn
    except ImportError:
        raise MissingPackage("The page", "uvicorn", extra="serve") from None
    with _listen(host, port) as listening:
        app = build_app(load_served_models(where), local=host in LOCAL)
        if host not in LOCAL:
            logger.warning("Whoever reaches this machine can use the page.")
        shown = f"[{host}]" if ":" in host else host
        announce(f"http://{shown}:{listening.getsockname()[1]}  (Ctrl-C ends it)")
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
            announce("Stopped.")


def _listen(host: str, port: int) -> socket.socket:
    """Open the socket before the models are loaded: a port in use is refused at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"Nothing can be served at {host}, port {port} ({error.strerror}); "
            "choose another with --port or --host."
        ) from None


def build_app(served: ServedModels, *, local: bool = True) -> "FastAPI":
    """Build the page and its interface; a `local` one answers to this machine's own names alone."""
    try:
        import python_multipart  # noqa: F401
        from fastapi import FastAPI
    except ImportError as error:
        raise MissingPackage("The page", error.name or "fastapi", extra="serve") from None

    app = FastAPI(
        title="fashionbench",
        version=version("fashionbench"),
        description="What trained models make of a picture.",
        docs_url=None,
        redoc_url=None,
    )
    _add_guards(app, local)
    _add_pages(app, served)
    _add_models(app, served)
    _add_questions(app, served)
    return app


def _add_guards(app: "FastAPI", local: bool) -> None:
    """Set headers on every response, make errors one sentence, refuse other host names."""
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
        return JSONResponse({"detail": answers.explain_problem(error.errors()[0])}, 422)


def _add_pages(app: "FastAPI", served: ServedModels) -> None:
    from fastapi import Response

    def page(content: bytes, kind: str) -> Callable[[], Response]:
        return lambda: Response(content, media_type=kind)

    folder = files("fashionbench.serve") / "web"
    for address, (name, kind) in WEB.items():
        content = (folder / name).read_bytes()
        app.get(address, include_in_schema=False)(page(content, kind))

    @app.get("/report", include_in_schema=False)
    def report() -> Response:
        if served.report is None:
            raise answers.Refusal(404, "There is no report beside these models.")
        headers = {"Content-Security-Policy": REPORT_POLICY}
        return Response(served.report.read_bytes(), media_type="text/html", headers=headers)


def _add_models(app: "FastAPI", served: ServedModels) -> None:
    from fastapi import Query

    disagreements = served.disagreements

    @app.get("/health")
    def health() -> dict[str, str]:
        """Say that the server runs."""
        return {"status": "ok"}

    @app.get("/models")
    def models() -> schemas.About:
        """Describe what is served."""
        return answers.describe_models(served, len(disagreements))

    @app.get("/disagreements", responses={422: {"model": schemas.Problem}})
    def disagree(start: Annotated[int, Query(ge=0, le=1_000_000)] = 0) -> list[schemas.TestImage]:
        """List test images that the models call differently, a few at a time from `start` on."""
        return [
            answers.describe_test_image(served, index)
            for index in disagreements[start:][:PAGE].tolist()
        ]


def _add_questions(app: "FastAPI", served: ServedModels) -> None:
    from anyio import CapacityLimiter, to_thread
    from fastapi import Request

    # Pictures are large once unpacked: as many at once as there are cores, the others wait.
    at_once = CapacityLimiter(os.cpu_count() or 1)

    @app.post(
        "/predict",
        **_describe_body({FORM: _describe_form(), JSON: schemas.Question.model_json_schema()}),
    )
    async def predict(request: Request) -> schemas.Answers:
        """Ask every model about a picture: a file, or JSON with one of two fields."""
        kind, body = await _read_body(request, (FORM, JSON))
        if kind == JSON:
            return await to_thread.run_sync(answers.answer_json, served, body, limiter=at_once)
        picture = await _read_picture(request, body)
        return await to_thread.run_sync(answers.answer_picture, served, picture, limiter=at_once)

    @app.post("/why", **_describe_body({JSON: schemas.WhyQuestion.model_json_schema()}))
    async def why(request: Request) -> schemas.Why:
        """Find which pixels of a prepared image speak for a class, by covering them in turn."""
        _, body = await _read_body(request, (JSON,))
        return await to_thread.run_sync(answers.answer_why, served, body, limiter=at_once)


def _describe_form() -> dict[str, Any]:
    file = {"type": "string", "format": "binary", "description": "a picture"}
    return {"type": "object", "properties": {"picture": file}, "required": ["picture"]}


def _describe_body(kinds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Describe for OpenAPI a body that is read by hand, which limits its bytes."""
    content = {kind: {"schema": schema} for kind, schema in kinds.items()}
    return {
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
        "responses": {status: {"model": schemas.Problem} for status in (400, 413, 415, 422)},
    }


async def _read_body(request: "Request", kinds: tuple[str, ...]) -> tuple[str, bytes]:
    """Return the body's kind and bytes. Raises Refusal for another kind, or too many bytes."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in kinds:
        raise answers.Refusal(415, f"The body must be {' or '.join(kinds)}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise answers.Refusal(413, f"That is more than {MOST_BYTES // 1_000_000} MB.")
    return kind, bytes(body)


async def _read_picture(request: "Request", body: bytes) -> bytes:
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
