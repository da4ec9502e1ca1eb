"""The states of documents and money, drawn from the transition tables that ``core.states.transition`` keeps."""

from __future__ import annotations

import importlib
import pkgutil
from html import escape

from core.states import Transitions

APPS = ("accounts", "subscriptions", "usage", "billing", "payments")
WIDTH, HEIGHT, STEP = 124, 34, 194  # of a state, and from column to column
HEAD = """# States

Drawn from the transition tables in the models by `python -m tests.documents --update`. Nothing else moves a state: the
only mover, `core.states.transition()`, refuses what is not in its table.

"""
STYLE = """<style>
rect.page{fill:#fff}rect.state{fill:#f3f5f8;stroke:#44536b;stroke-width:1.2}
rect.end{fill:#e4e9f0;stroke-width:2.4}text{font:13px system-ui,sans-serif;fill:#1b2433;text-anchor:middle}
path{fill:none;stroke:#44536b;stroke-width:1.3}marker path{fill:#44536b;stroke:none}
</style>"""
ARROW = (
    '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse">'
    '<path d="M0 0 8 4 0 8z"/></marker></defs>'
)


def pages() -> dict[str, str]:
    found, text = _tables(), HEAD
    files: dict[str, str] = {}
    for name, table in found.items():
        title = name.removesuffix("_TRANSITIONS").replace("_", " ").lower()
        file = f"states/{title.replace(' ', '-')}.svg"
        files[file] = _picture(title, table)
        ends = ", ".join(f"`{state}`" for state in _states(table) if not table.get(state))
        text += f"## {title}\n\n![States of {title}]({file})\n\n| from | to |\n| --- | --- |\n"
        for state in _states(table):
            targets = ", ".join(f"`{each}`" for each in _states(table) if each in table.get(state, ()))
            text += f"| `{state}` | {targets or 'nothing: it ends here'} |\n"
        text += f"\nEnds in {ends}.\n\n" if ends else "\n"
    return {"states.md": text.rstrip() + "\n", **files}


def _tables() -> dict[str, Transitions]:
    found: dict[str, Transitions] = {}
    for app in APPS:
        models = importlib.import_module(f"{app}.models")
        modules = [models, *(
            importlib.import_module(f"{app}.models.{each.name}") for each in pkgutil.iter_modules(models.__path__)
        )]  # fmt: skip
        for module in modules:
            found |= {name: value for name, value in vars(module).items() if name.endswith("_TRANSITIONS")}
    return found


def _states(table: Transitions) -> list[str]:
    targets = sorted({str(each) for values in table.values() for each in values})
    return list(dict.fromkeys([*(str(each) for each in table), *targets]))


def _picture(title: str, table: Transitions) -> str:
    names = _states(table)
    places = _places(names, table)
    bows = [_bow(places[state][0], places[str(to)][0]) for state in names for to in table.get(state, ())]
    above, below = 0.75 * max([0, *bows]), 0.75 * -min([0, *bows])
    places = {name: (x, y + above) for name, (x, y) in places.items()}
    width, height = (round(max(place[i] for place in places.values()) + size) for i, size in enumerate((WIDTH, HEIGHT)))
    arrows = [
        _arrow(places[state], places[str(to)], back=str(state) in {str(s) for s in table.get(to, ())})
        for state in names
        for to in sorted(str(each) for each in table.get(state, ()))
    ]
    boxes = [
        f'<rect class="state{"" if table.get(name) else " end"}" x="{x:.0f}" y="{y:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x + WIDTH / 2:.0f}" y="{y + HEIGHT / 2 + 4:.0f}">{escape(name)}</text>'
        for name, (x, y) in places.items()
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 20} {height + 20 + below:.0f}" width="{width + 20}" '
        f'height="{height + 20 + below:.0f}" role="img"><title>States of {escape(title)}</title>{STYLE}{ARROW}'
        f'<rect class="page" width="100%" height="100%"/>{"".join(arrows)}{"".join(boxes)}</svg>\n'
    )


def _places(names: list[str], table: Transitions) -> dict[str, tuple[float, float]]:
    """Columns by the longest way that leads to a state; within a column in the middle of where it comes from."""
    before = {
        name: [each for each in names[:place] if name in {str(to) for to in table.get(each, ())}]
        for place, name in enumerate(names)
    }
    column: dict[str, int] = {}
    for name in names:
        column[name] = 1 + max((column[each] for each in before[name]), default=-1)
    rows: dict[str, float] = {}
    for number in range(max(column.values()) + 1):
        mine = [name for name in names if column[name] == number]
        wish = {name: _middle([rows[each] for each in before[name]]) for name in mine}
        mine.sort(key=lambda name: (wish[name], names.index(name)))
        top = _middle([wish[name] for name in mine]) - (len(mine) - 1) / 2
        rows |= {name: top + place for place, name in enumerate(mine)}
    least = min(rows.values())
    return {name: (20.0 + column[name] * STEP, 20 + (rows[name] - least) * (HEIGHT + 34)) for name in names}


def _middle(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _arrow(start: tuple[float, float], end: tuple[float, float], *, back: bool) -> str:
    """From side to side; two that go both ways keep apart, one that goes back bows."""
    aside = 7 if back else 0
    (x0, y0), (x1, y1) = start, end
    mid = HEIGHT / 2
    if x1 > x0:
        a, b = (x0 + WIDTH, y0 + mid - aside), (x1, y1 + mid - aside)
    elif x1 < x0:
        a, b = (x0, y0 + mid + aside), (x1 + WIDTH, y1 + mid + aside)
    else:
        down = y1 > y0
        shift = WIDTH / 2 + (aside if down else -aside)
        a, b = (x0 + shift, y0 + (HEIGHT if down else 0)), (x1 + shift, y1 + (0 if down else HEIGHT))
    half, bow = (b[0] - a[0]) / 2, _bow(x0, x1)
    return (
        f'<path marker-end="url(#a)" d="M{a[0]:.0f} {a[1]:.0f}C{a[0] + half:.0f} {a[1] - bow:.0f} '
        f'{b[0] - half:.0f} {b[1] - bow:.0f} {b[0]:.0f} {b[1]:.0f}"/>'
    )


def _bow(x0: float, x1: float) -> float:
    """How far an arrow over several columns swings up, or down on its way back, to pass the states between."""
    columns = round((x1 - x0) / STEP)
    return 0.0 if abs(columns) < 2 else 26.0 * columns + (20 if columns > 0 else -20)
