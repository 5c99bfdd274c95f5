"""``polymac report``: results as a page, plots and tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from ..comparison import Row
from ..comparison.export import read_rows
from ..comparison.page import charts, groups, latex, markdown, page, png, svg
from ..golden.formats import ParameterError
from .output import check_new_file, write_file


@click.command(
    epilog="""\b
Examples:
  polymac report results.json --html results.html
  polymac report macs.json arrays.parquet --html results.html --svg plots --force
  polymac report results.json --markdown -
""",
)
@click.argument("results", metavar="RESULTS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--html", metavar="FILE", type=click.Path(path_type=Path), help="One page that needs no network.")
@click.option("--svg", "svg_folder", metavar="DIR", type=click.Path(path_type=Path), help="Each plot as SVG.")
@click.option("--png", "png_folder", metavar="DIR", type=click.Path(path_type=Path), help="Each plot as PNG.")
@click.option("--latex", "latex_path", metavar="FILE", type=click.Path(path_type=Path), help="Tables; - prints them.")
@click.option(
    "--markdown", "markdown_path", metavar="FILE", type=click.Path(path_type=Path), help="Tables; - prints them."
)
@click.option("--title", metavar="TEXT", help="The page's title.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def report(
    results: tuple[Path, ...],
    html: Path | None,
    svg_folder: Path | None,
    png_folder: Path | None,
    latex_path: Path | None,
    markdown_path: Path | None,
    title: str | None,
    force: bool,
) -> None:
    """Show the results that `polymac sweep` wrote: a page to sort, filter and choose from, plots, tables.

    Several files are put together; of rows of the same request the last one counts.
    """
    asked = (html, svg_folder, png_folder, latex_path, markdown_path)
    if all(path is None for path in asked):
        raise ParameterError("report must be given at least one of --html, --svg, --png, --latex and --markdown")
    texts = {"--html": html, "--latex": latex_path, "--markdown": markdown_path}
    for option, path in texts.items():
        if path is not None and not _is_stdout(option, path):
            check_new_file(option, path, force=force)
    for option, folder in (("--svg", svg_folder), ("--png", png_folder)):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise ParameterError(f"{option} must be a folder, not the file {folder}")
    rows = [row for path in results for row in read_rows(path)]
    if not rows:
        raise ParameterError(f"results must have at least one row, not none as in {', '.join(map(str, results))}")
    plots = dict(_plots(rows)) if svg_folder or png_folder else {}
    if html is not None:
        write_file(html, page(rows) if title is None else page(rows, title=title), force=force)
    for path, text in ((latex_path, latex), (markdown_path, markdown)):
        if path is not None:
            if str(path) == "-":
                click.echo(text(rows), nl=False)
            else:
                write_file(path, text(rows), force=force)
    for folder, suffix in ((svg_folder, ".svg"), (png_folder, ".png")):
        if folder is not None:
            _draw(folder, suffix, plots, force=force)


def _is_stdout(option: str, path: Path) -> bool:
    return str(path) == "-" and option != "--html"


def _plots(rows: list[Row]) -> Iterator[tuple[str, dict]]:
    """The specification of each plot by its name; a line on stderr for those without data."""
    for group in groups(rows):
        for chart in charts(group):
            if chart.spec is None:
                click.echo(f"no plot {chart.name}: no row has {chart.plot.needs}", err=True)
            else:
                yield chart.name, chart.spec


def _draw(folder: Path, suffix: str, plots: dict[str, dict], *, force: bool) -> None:
    for name in plots:
        check_new_file(suffix.replace(".", "--"), folder / f"{name}{suffix}", force=force)
    for name, spec in plots.items():
        path = folder / f"{name}{suffix}"
        if suffix == ".svg":
            write_file(path, svg(spec) + "\n", force=force)
        else:
            _write_bytes(path, png(spec))


def _write_bytes(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ParameterError(f"output must be a file that can be written, not {path}: {error.strerror}") from None
