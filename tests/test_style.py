"""One look for all plots."""

from fashionbench.report.style import INK, add_legend, assign_looks, start_figure, start_panels


def test_no_two_of_twenty_one_entries_look_alike() -> None:
    looks = [look for _, _, look in assign_looks([(str(index), index) for index in range(21)])]
    assert len({(look.color, look.marker) for look in looks}) == 21
    assert len({(look.color, look.line) for look in looks}) == 21


def test_entries_keep_their_order_however_many_there_are() -> None:
    entries = [(str(index), index) for index in range(50)]
    assert [(name, entry) for name, entry, _ in assign_looks(entries)] == entries


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
