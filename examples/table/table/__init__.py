"""Show a CSV file as a table, or list its columns."""

import csv

import click
import rich
from rich.table import Table


@click.command()
@click.argument("file", type=click.File())
def table(file):
    """Show a CSV file as a table."""
    head, *rows = csv.reader(file)
    shown = Table(*head)
    for row in rows:
        shown.add_row(*row)
    rich.print(shown)


@click.command()
@click.argument("file", type=click.File())
def columns(file):
    """Name the columns of a CSV file."""
    click.echo("\n".join(next(csv.reader(file))))
