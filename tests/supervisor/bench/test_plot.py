"""The picture of a run: a document that any reader of SVG takes, with a bar for each figure."""

from xml.etree import ElementTree

from gangerd.bench.case import Figure
from gangerd.bench.plot import draw, panels

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_as_long_as_their_figures() -> None:
    rates = {
        f"spread.shards.{n}": Figure(f"spread.shards.{n}", f"<{n}>", 1000.0 * n, "jobs/s") for n in (1, 2)
    }
    shown = panels(rates)
    assert [panel.title for panel in shown] == ["No-op jobs per second by shards"]
    root = ElementTree.fromstring(draw(shown, "2 cores & a server"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"2 cores & a server", "<1>", "<2>", "1,000", "2,000"} <= set(texts)
    _, one, two = (float(rect.attrib["width"].rstrip("%")) for rect in root.iter(f"{SVG}rect"))
    assert two == 2 * one


def test_nothing_measured_is_an_empty_picture() -> None:
    assert panels({}) == []
    ElementTree.fromstring(draw([], "nothing"))
