"""Draw the rooms and what each imports, from the imports themselves: `python docs/rooms.py`.

A floor is a layer of the import contract in pyproject.toml. An arrow that other arrows imply is
left out: A to C, where A goes to B and B to C.
"""

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import grimp

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "rooms.svg"

LEFT, MIDDLE, RIGHT = 162, 470, 778
# The wing that judges is on the left, the wing that trains on the right.
COLUMNS = {
    "fashionbench": RIGHT,
    "__main__": MIDDLE,
    "cli": MIDDLE,
    "serve": LEFT,
    "inference": LEFT,
    "experiments": RIGHT,
    "report": LEFT,
    "training": RIGHT,
    "store": LEFT,
    "models": MIDDLE,
    "stats": LEFT,
    "config": MIDDLE,
    "data": RIGHT,
    "core": MIDDLE,
    "errors": MIDDLE,
}
INNER = {"training": ["many_seeds", "kernels"], "models": ["zoo"], "experiments": ["cluster"]}
WIDTH, BOX_WIDTH, BOX_HEIGHT, FLOOR = 940, 284, 52, 92

STYLE = """
  text { font-family: system-ui, sans-serif; fill: #1c2733; }
  .name { font-size: 15px; font-weight: 600; }
  .caption { font-size: 12px; fill: #45525f; }
  .torch { fill: #fdebd9; stroke: #d9822b; }
  .plain { fill: #e6f0f7; stroke: #3b7ea1; }
  .inner { fill: #fff; stroke: #d9822b; }
  .arrow { fill: none; stroke: #7a8794; stroke-width: 1.4; marker-end: url(#tip); }
"""
TIP = """
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
  orient="auto"><path d="M0 0 8 4 0 8z" fill="#7a8794"/></marker></defs>
"""


class Rooms(NamedTuple):
    """The floors from top to bottom, the rooms that never reach torch, and who imports whom."""

    floors: list[list[str]]
    without_torch: set[str]
    imports: dict[str, set[str]]


def read_rooms() -> Rooms:
    """Read the floors from the import contract, and the imports from the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    floors = [layer.split(" | ") for layer in contracts[0]["layers"]]
    (no_torch,) = (of for of in contracts if "torch" in of.get("forbidden_modules", []))
    graph = grimp.build_graph("fashionbench")
    for room in [room for floor in floors for room in floor]:
        graph.squash_module(f"fashionbench.{room}")
    return Rooms(
        floors,
        {module.removeprefix("fashionbench.") for module in no_torch["source_modules"]},
        {
            module.removeprefix("fashionbench."): {
                imported.removeprefix("fashionbench.")
                for imported in graph.find_modules_directly_imported_by(module) - {module}
            }
            for module in graph.modules
            if module != "fashionbench"
        },
    )


def without_implied(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out each import that a chain of others implies."""

    def reached(room: str) -> set[str]:
        return set().union(*({below} | reached(below) for below in imports[room]))

    return {room: below - set().union(*map(reached, below)) for room, below in imports.items()}


def draw_rooms() -> str:
    """Draw the picture as SVG: a box a room, an arrow an import."""
    rooms = read_rooms()
    tree = (ROOT / "README.md").read_text("utf-8")
    captions = dict(
        re.findall(r"^  (\w+)(?:/|\.py) +(.+?)(?:, without torch)?$", tree, re.MULTILINE)
    )
    captions |= {"fashionbench": "the public names, loaded when used", "__main__": "python -m"}
    floors = [[*rooms.floors[0], "fashionbench"], *rooms.floors[1:]]
    places = {
        room: (COLUMNS[room], 20 + FLOOR * floor)
        for floor, names in enumerate(floors)
        for room in names
    }
    arrows = [
        _arrow(places[room], places[below])
        for room, imported in sorted(without_implied(rooms.imports).items())
        for below in sorted(imported)
    ]
    boxes = [
        _box(room, at, captions[room], room in rooms.without_torch) for room, at in places.items()
    ]
    height = FLOOR * len(floors)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            "<title>The rooms of fashionbench and what each imports, from top to bottom</title>",
            f"<style>{STYLE}</style>",
            TIP,
            f'<rect width="{WIDTH}" height="{height}" rx="12" fill="#fff"/>',
            *arrows,
            *boxes,
            *_legend_line("plain", "never loads torch", height - 64),
            *_legend_line("torch", "may use torch", height - 36),
            "</svg>\n",
        ]
    )


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = start, end
    y1 += BOX_HEIGHT
    lean = (x2 - x1) // 6
    x1, x2, bend = x1 + lean // 2, x2 - lean // 2, (y2 - y1) // 2
    return f'<path class="arrow" d="M{x1} {y1} C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2 - 2}"/>'


def _box(room: str, at: tuple[int, int], caption: str, without_torch: bool) -> str:
    x, y = at[0] - BOX_WIDTH // 2, at[1]
    kind = "plain" if without_torch else "torch"
    lines = [
        f'<rect class="{kind}" x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>',
        f'<text class="name" x="{x + 12}" y="{y + 21}">{room}</text>',
        f'<text class="caption" x="{x + 12}" y="{y + 40}">{caption}</text>',
    ]
    for place, name in enumerate(INNER.get(room, []), start=1):
        inner = x + BOX_WIDTH - 98 * place
        lines += [
            f'<rect class="inner" x="{inner}" y="{y + 6}" width="90" height="20" rx="4"/>',
            f'<text class="caption" x="{inner + 8}" y="{y + 20}">{name}</text>',
        ]
    return "\n".join(lines)


def _legend_line(kind: str, text: str, y: int) -> list[str]:
    x = LEFT - BOX_WIDTH // 2
    return [
        f'<rect class="{kind}" x="{x}" y="{y}" width="28" height="16" rx="3"/>',
        f'<text class="caption" x="{x + 38}" y="{y + 12}">{text}</text>',
    ]


if __name__ == "__main__":
    PICTURE.write_text(draw_rooms(), "utf-8")
