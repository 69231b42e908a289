"""Templates escape what they are given, and miss nothing silently."""

import jinja2
import pytest

from fashionbench.report.templating import load_template


def test_what_is_given_is_escaped_and_filtered() -> None:
    template = load_template("table.html.j2")
    made = template.environment.from_string("{{ name }} {{ 3 | pluralize('run') }}")
    assert made.render(name="<b>") == "&lt;b&gt; 3 runs"


def test_what_is_missing_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        load_template("table.html.j2").render()
