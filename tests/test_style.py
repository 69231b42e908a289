"""One look for all plots."""

from fashionbench.report.style import (
    GREY,
    INK,
    STYLES,
    add_legend,
    assign_looks,
    restyle,
    start_figure,
    start_panels,
)


def test_no_two_of_ten_entries_look_alike() -> None:
    looks = [look for _, _, look in assign_looks([(str(index), index) for index in range(10)])]
    assert len({(look.color, look.marker) for look in looks}) == 10
    assert len({(look.color, look.line) for look in looks}) == 10
    assert all(look.front for look in looks)


def test_entries_after_the_tenth_come_first_in_grey_under_one_label() -> None:
    entries = [(str(index), index) for index in range(50)]
    found = [*assign_looks(entries)]
    assert [(name, entry) for name, entry, _ in found] == [*entries[10:], *entries[:10]]
    behind = [look for _, _, look in found[:40]]
    assert {look.color for look in behind} == {GREY}
    assert [look.label for look in behind] == ["40 others", *[""] * 39]
    assert [look.label for _, _, look in found[40:]] == [str(index) for index in range(10)]


def test_a_name_that_begins_with_an_underscore_is_in_the_legend() -> None:
    _, axes = start_figure("A title", 4, 3)
    for name, _, look in assign_looks([("_hidden.py:Net", 0), ("v0", 1)]):
        axes.plot([0, 1], label=look.label, color=look.color)
        assert look.label.strip() == name
    add_legend(axes)
    assert len(axes.get_legend().get_texts()) == 2


def test_another_style_changes_ink_size_and_text() -> None:
    figure, axes = start_figure("A title", 4, 3)
    (line,) = axes.plot([0, 1], color=INK)
    (other,) = axes.plot([1, 0], color="#0072B2")
    size = axes.xaxis.label.get_fontsize()
    restyle(figure, STYLES["projector"])
    assert line.get_color() == STYLES["projector"].ink
    assert other.get_color() == "#0072B2"
    assert axes.xaxis.label.get_color() == STYLES["projector"].ink
    assert axes.xaxis.label.get_fontsize() == 1.5 * size
    restyle(figure, STYLES["paper"])
    assert figure.get_size_inches()[0] < 4


def test_a_plot_has_ink_on_no_background() -> None:
    figure, axes = start_figure("A title", 4, 3)
    assert figure.get_facecolor()[3] == axes.get_facecolor()[3] == 0
    assert axes.xaxis.label.get_color() == INK
    assert axes.get_title(loc="left") == "A title"


def test_a_legend_stands_where_something_is_labelled() -> None:
    _, axes = start_figure("A title", 4, 3)
    add_legend(axes)
    assert axes.get_legend() is None
    axes.plot([0, 1], label="v0")
    add_legend(axes)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["v0"]


def test_panels_come_row_by_row_under_one_title() -> None:
    figure, panels = start_panels("A title", 4, 3, 2, 2)
    assert panels == figure.axes
    assert figure.get_suptitle() == "A title"
    places = [panel.get_subplotspec() for panel in panels]
    assert [(place.rowspan.start, place.colspan.start) for place in places] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]


def test_a_notebook_shows_a_figure_as_png() -> None:
    figure, _ = start_figure("A title", 2, 1)
    assert figure._repr_png_().startswith(b"\x89PNG")
