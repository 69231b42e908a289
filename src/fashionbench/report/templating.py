"""The templates of all pages, and how numbers are written in them."""

from typing import TYPE_CHECKING

from fashionbench.report.numbers import (
    format_count,
    format_interval,
    format_mean,
    format_number,
    format_percent,
    format_places,
    format_points,
    format_probability,
    format_seconds_range,
    format_seconds_spread,
    format_size,
    format_time_ratio,
    format_verdict_interval,
    pluralize,
)

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["load_template"]


def load_template(name: str) -> "Template":
    """Load a template of this room: what it is given is escaped, and nothing may be missing."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fashionbench.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "count": format_count,
        "interval": format_interval,
        "mean_percent": format_mean,
        "mean_points": lambda found: "–" if found is None else format_points(found.mean),
        "number": format_number,
        "percent": format_percent,
        "places": format_places,
        "pluralize": pluralize,
        "points": format_points,
        "probability": format_probability,
        "seconds_range": format_seconds_range,
        "seconds_spread": format_seconds_spread,
        "size": format_size,
        "time_ratio": format_time_ratio,
        "verdict_interval": format_verdict_interval,
    }
    return environment.get_template(name)
