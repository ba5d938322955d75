"""Reports on paper: as a table, JSON, CSV or an Excel sheet.

A name in a report comes from outside (a client chooses its business words), so it must
never act in the program that opens the sheet: in CSV a text that could be read as a formula
gets an apostrophe in front, in Excel every text is a text cell.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence

import xlsxwriter
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from adapter.jobs.reports import Column, Form, Report, Value

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_WIDTHS = {Form.TEXT: 20, Form.COUNT: 12, Form.RATE: 16}


def show(report: Report, console: Console) -> None:
    """Print a report as a table; a terminal that is too narrow wraps, no figure is cut off."""
    table = as_table(report)
    unbounded = console.options.update(width=10_000)
    needed = Measurement.get(console, unbounded, table).maximum
    Console(file=console.file, width=max(needed, console.width)).print(table, crop=False)


def as_table(report: Report) -> Table:
    """For a terminal; see `show`."""
    table = Table(
        title=_title(report),
        title_justify="left",
        show_footer=bool(report.rows),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column, value in zip(report.columns, report.total, strict=True):
        table.add_column(
            f"{column.chinese}\n{column.english}",
            justify="left" if column.form is Form.TEXT else "right",
            no_wrap=True,
            footer=Text(_shown(column, value)),
        )
    for row in report.rows:
        table.add_row(
            *(
                Text(_shown(column, value))
                for column, value in zip(report.columns, row, strict=True)
            )
        )
    return table


def as_json(report: Report) -> bytes:
    """For programs: a list of rows, each an object by column name."""
    names = [column.name for column in report.columns]
    document = {
        "report": report.kind.value,
        "from": report.start.isoformat(),
        "to": report.end.isoformat(),
        "group": report.group.value,
        "rows": [dict(zip(names, row, strict=True)) for row in report.rows],
        "total": {
            column.name: value
            for column, value in zip(report.columns, report.total, strict=True)
            if column.form is not Form.TEXT
        },
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode()


def as_csv(report: Report) -> bytes:
    """For spreadsheets; with the mark by which Excel recognises UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([f"{column.chinese} {column.english}" for column in report.columns])
    for row in (*report.rows, report.total):
        writer.writerow(
            [_plain(column, value) for column, value in zip(report.columns, row, strict=True)]
        )
    return text.getvalue().encode("utf-8-sig")


def as_xlsx(report: Report) -> bytes:
    """An Excel workbook of one sheet, written row by row."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet = book.add_worksheet(report.chinese)
        bold = {"bold": True}
        forms = {Form.TEXT: "@", Form.COUNT: "#,##0", Form.RATE: "0.00%"}
        formats = {form: book.add_format({"num_format": shown}) for form, shown in forms.items()}
        totals = {
            form: book.add_format({"num_format": shown, "top": 1, **bold})
            for form, shown in forms.items()
        }
        heading = book.add_format({"text_wrap": True, "valign": "top", "bottom": 1, **bold})
        for number, column in enumerate(report.columns):
            sheet.set_column(number, number, _WIDTHS[column.form], formats[column.form])
        sheet.freeze_panes(3, 1)
        sheet.write_string(0, 0, _title(report), book.add_format({"font_size": 14, **bold}))
        for number, column in enumerate(report.columns):
            sheet.write_string(2, number, f"{column.chinese}\n{column.english}", heading)
        for number, row in enumerate(report.rows):
            _write_row(sheet, 3 + number, report.columns, row, formats)
        _write_row(sheet, 3 + len(report.rows), report.columns, report.total, totals)
    return file.getvalue()


def _write_row(
    sheet: xlsxwriter.worksheet.Worksheet,
    number: int,
    columns: Sequence[Column],
    row: Sequence[Value],
    formats: Mapping[Form, xlsxwriter.format.Format],
) -> None:
    for place, (column, value) in enumerate(zip(columns, row, strict=True)):
        if value is None:
            sheet.write_blank(number, place, None, formats[column.form])
        elif isinstance(value, str):
            sheet.write_string(number, place, value, formats[column.form])
        else:
            sheet.write_number(number, place, value, formats[column.form])


def _title(report: Report) -> str:
    return f"{report.chinese} {report.english}  {report.start} – {report.end}"


def _shown(column: Column, value: Value) -> str:
    if value is None or value == "":
        return "–"
    if column.form is Form.RATE:
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _plain(column: Column, value: Value) -> str:
    if value is None:
        return ""
    if column.form is Form.RATE:
        return f"{value:.2%}"
    text = str(value)
    if column.form is Form.TEXT and text.startswith(_FORMULA):
        return f"'{text}"
    return text
