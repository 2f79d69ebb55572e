"""UCI Online Retail (Chen, Sain and Guo, 2012), also its second edition: invoices of a shop."""

from dataclasses import replace
from pathlib import Path

from pocketrec_distill.data.columns import listed, plain_name
from pocketrec_distill.data.formats.published import Published
from pocketrec_distill.data.formats.text import first_line, read_headed
from pocketrec_distill.data.settings import DataSettings, DropRule
from pocketrec_distill.errors import DataError

# Role -> plain names in the first and the second edition.
_COLUMNS = {
    "invoice": ("invoiceno", "invoice"),
    "user": ("customerid",),
    "item": ("stockcode",),
    "title": ("description",),
    "quantity": ("quantity",),
    "time": ("invoicedate",),
}


def retail_files(folder: Path) -> list[Path]:
    """The CSV files in a folder that are called something with `retail`."""
    names = (path for path in sorted(folder.iterdir()) if "retail" in path.name.lower())
    return [path for path in names if path.name.lower().endswith((".csv", ".csv.gz"))]


def holds_stock_codes(folder: Path) -> bool:
    """Whether one of these files begins as Online Retail's do, or cannot be read to say."""

    def fits(path: Path) -> bool:
        try:
            return "stockcode" in plain_name(first_line(path))
        except (OSError, DataError):
            return True

    return any(map(fits, retail_files(folder)))


def online_retail(path: Path, settings: DataSettings) -> Published:
    """One CSV, or the folder that it stands in.

    Cancelled invoices (number starting with C), rows without a customer and returned goods are
    dropped by rules, before the rules given. Items of one invoice share one time and are one
    basket.

    Raises:
        DataError: No such file, several of them, or a column is missing.
    """
    files = retail_files(path) if path.is_dir() else [path]
    if len(files) != 1:
        raise DataError(
            f"{len(files)} files in {str(path)!r} look like Online Retail "
            "(*retail*.csv, .csv.gz): "
            f"{listed([file.name for file in files]) or 'none'}; give the path of the one to read"
        )
    notes: list[str] = []
    table = read_headed(files[0], settings.encoding, notes)
    plain = {plain_name(name): name for name in reversed(table.column_names)}
    found = {}
    for role, names in _COLUMNS.items():
        column = next((plain[name] for name in names if name in plain), None)
        if column is None:
            raise DataError(
                f"{files[0].name} has no {role} column ({' or '.join(names)}) among "
                f"{listed(table.column_names)}; if it is another table, give its own path"
            )
        found[role] = column
    rules = (
        DropRule(found["invoice"], "startswith", "C"),
        DropRule(found["user"], "==", ""),
        DropRule(found["quantity"], "<=", 0),
    )
    columns = replace(
        settings,
        user=found["user"],
        item=found["item"],
        time=found["time"],
        title=found["title"],
        baskets=True,
        drop=rules + settings.drop,
    )
    return Published("online-retail", table, None, columns, notes=tuple(notes))
