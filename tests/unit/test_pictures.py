"""The committed pictures show what the code does today; `python -m tests.pictures` makes them anew."""

import re
from html import unescape

from tests.pictures.__main__ import FOLDER, MAKERS
from tests.pictures.architecture import architecture
from tests.pictures.size import size
from tests.pictures.terminal import terminal
from tests.support.documents import ROOT


def texts(svg: str) -> str:
    """All that is written in a picture, without spaces: how they are set is the renderer's."""
    written = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    return re.sub(r"\s", "", unescape("".join(written)))


def test_figure_of_the_architecture_is_the_one_that_the_script_draws() -> None:
    assert (FOLDER / "architecture.svg").read_text() == architecture()


def test_figure_of_the_architecture_names_folders_that_exist() -> None:
    named = re.findall(r'class="code"[^>]*>([a-z_]+/)', architecture())
    assert len(named) == 8
    assert [folder for folder in named if not (ROOT / "controller" / folder).is_dir()] == []


def test_picture_of_a_plan_shows_what_the_verb_prints() -> None:
    shown = texts((FOLDER / "plan.svg").read_text())
    assert shown == texts(terminal()), "run `python -m tests.pictures plan.svg`"


def test_plot_of_sizes_shows_the_figures_of_its_document() -> None:
    assert (FOLDER / "size.svg").read_text() == size(), "run `python -m tests.pictures size.svg`"


def test_pictures_are_small() -> None:
    sizes = {name: (FOLDER / name).stat().st_size for name in MAKERS}
    assert max(sizes.values()) < 150_000, sizes
