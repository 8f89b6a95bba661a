"""Thirty small files as people send them, and the right types of their columns.

A truth is what `words_of` says of a field; several are written where several would do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

Truth = str | tuple[str, ...]
TEXT = "string"
COMMA = "number (decimal comma)"
GERMAN = "number (decimal comma, groups by '.')"
CURRENCY = "currency or percent sign ignored"
FIRST_DAY = date(2025, 1, 2)
_ROWS = 60


@dataclass(frozen=True)
class KnownFile:
    """A file's content and the types of its columns."""

    name: str
    content: bytes
    truth: Mapping[str, Truth]


@dataclass(frozen=True)
class _KnownColumn:
    name: str
    truth: Truth
    cell: Callable[[int, Random], str]


def known_files() -> list[KnownFile]:
    """All files, always the same ones."""
    return [make() for make in _FILES]


def _written(
    name: str,
    columns: Sequence[_KnownColumn],
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
    above: str = "",
    below: str = "",
    header: bool = True,
    rows: int = _ROWS,
    slips: Mapping[str, Sequence[str]] | None = None,
) -> KnownFile:
    """A file of these columns; `slips` replace the first cells of a column in the last rows."""
    random = Random(name)
    lines = [[column.name for column in columns]] if header else []
    for number in range(rows):
        cells = []
        for column in columns:
            slipped = list((slips or {}).get(column.name, ()))
            place = rows - 1 - number
            cell = column.cell(number, random)
            cells.append(slipped[place] if place < len(slipped) else cell)
        lines.append(cells)
    text = "".join(
        delimiter.join(_quoted(cell, delimiter) for cell in cells) + "\n" for cells in lines
    )
    content = (above + text + below).encode(encoding)
    return KnownFile(name, content, {column.name: column.truth for column in columns})


def _quoted(cell: str, delimiter: str) -> str:
    if not {delimiter, '"', "\n"} & set(cell):
        return cell
    return '"' + cell.replace('"', '""') + '"'


def _day(number: int, step: int = 3) -> date:
    return FIRST_DAY + timedelta(days=number * step)


def _moment(number: int) -> datetime:
    return datetime(2025, 1, 2, 8, 15, 30, tzinfo=UTC) + timedelta(minutes=number * 977)


def _days(name: str, pattern: str, truth: Truth | None = None) -> _KnownColumn:
    return _KnownColumn(
        name,
        truth or f"date ({pattern})",
        lambda n, _: _day(n).strftime(pattern).replace("  ", " "),
    )


def _moments(name: str, pattern: str, truth: Truth) -> _KnownColumn:
    return _KnownColumn(name, truth, lambda n, _: _moment(n).strftime(pattern))


def _among(name: str, truth: Truth, *values: str) -> _KnownColumn:
    return _KnownColumn(
        name,
        truth,
        lambda n, random: values[n % len(values)] if n < len(values) else random.choice(values),
    )


def _count(name: str, first: int = 1, truth: Truth = "integer") -> _KnownColumn:
    return _KnownColumn(name, truth, lambda n, _: str(first + n))


def _number(
    name: str, truth: Truth, write: Callable[[float], str], most: float = 5000
) -> _KnownColumn:
    return _KnownColumn(name, truth, lambda _, random: write(random.uniform(1, most)))


def _german(value: float) -> str:
    return f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")


def _german_excel() -> KnownFile:
    return _written(
        "german-excel.csv",
        [
            _count("Nr"),
            _among("Kunde", TEXT, "Müller GmbH", "Jäger & Söhne", "Groß AG"),
            _days("Datum", "%d.%m.%Y"),
            _number("Betrag", GERMAN, _german),
            _number("Menge", COMMA, lambda value: f"{value:.1f}".replace(".", ","), most=90),
            _among("Bezahlt", "boolean (true: ja, false: nein)", "ja", "nein"),
            _among("PLZ", TEXT, "01067", "20095", "80331"),
        ],
        delimiter=";",
        encoding="cp1252",
    )


def _us_excel() -> KnownFile:
    return _written(
        "us-excel.csv",
        [
            _among("Region", TEXT, "East", "West"),
            _days("Order Date", "%m/%d/%Y"),
            _number("Revenue", f"number (groups by ',', {CURRENCY})", lambda v: f"${v:,.2f}"),
            _number("Margin", (f"number ({CURRENCY})", TEXT), lambda v: f"{v:.1f}%", most=60),
            _number("Units", "integer (groups by ',')", lambda v: f"{v:,.0f}"),
            _among("ZIP", TEXT, "02139", "94105", "10001"),
        ],
    )


def _shopify() -> KnownFile:
    return _written(
        "shopify-orders.csv",
        [
            _KnownColumn("Name", TEXT, lambda n, _: f"#{1001 + n}"),
            _KnownColumn("Email", "string (email)", lambda n, _: f"jane{n}@example.com"),
            _moments("Paid at", "%Y-%m-%d %H:%M:%S +0100", "datetime (%Y-%m-%d %H:%M:%S %z)"),
            _number("Subtotal", "number", lambda v: f"{v:.2f}", most=200),
            _among("Accepts Marketing", "boolean (true: yes, false: no)", "yes", "no"),
            _among("Currency", TEXT, "EUR"),
            _KnownColumn("Id", "integer", lambda n, _: str(5_400_000_000_001 + n * 7919)),
            _among("Phone", TEXT, "+49 30 1234567", "+43 1 7654321"),
            _among("Note", TEXT, "Please ring twice,\nthe bell is old", "Gift", ""),
        ],
    )


def _bank() -> KnownFile:
    return _written(
        "bank-statement.csv",
        [
            _days("Buchungstag", "%d.%m.%Y"),
            _days("Valuta", "%d.%m.%y"),
            _among("Verwendungszweck", TEXT, "Miete Mai", "Gehalt", "Rechnung 4711"),
            _number("Betrag (EUR)", GERMAN, lambda value: "-" + _german(value)),
            _number("Saldo", GERMAN, _german, most=90_000),
        ],
        delimiter=";",
        encoding="cp1252",
        above="Kontoauszug;DE12\nZeitraum;Jan - Mai\nKontoinhaber;Zoë Müller\n\n",
    )


def _survey() -> KnownFile:
    return _written(
        "survey.csv",
        [
            _count("id"),
            _among("Happy?", "boolean (true: Yes, false: No)", "Yes", "No"),
            _among("Age group", TEXT, "18-29", "30-44", "45-60", "> 60"),
            _KnownColumn("Rank", "integer", lambda _, random: str(random.randint(1, 6))),
            _among("Comment", TEXT, "fine", "good, really", ""),
        ],
        above="Respondent,Question 1,,Question 2,\n",
    )


def _two_row_header() -> KnownFile:
    known = _survey()
    truth = dict(
        zip(
            ("Respondent id", "Question 1 Happy?", "Age group", "Question 2 Rank", "Comment"),
            known.truth.values(),
            strict=True,
        )
    )
    return KnownFile(known.name, known.content, truth)


def _units() -> KnownFile:
    known = _written(
        "weather-units.csv",
        [
            _among("station", TEXT, "Dresden", "Wien"),
            _moments("time", "%Y-%m-%dT%H:%M:%SZ", "datetime"),
            _number("temperature", "number", lambda v: f"{v:.1f}", most=30),
            _number("wind", "number", lambda v: f"{v:.2f}", most=20),
            _number("rain", "number", lambda v: f"{v:.1f}", most=10),
        ],
    )
    first, _, rest = known.content.partition(b"\n")
    units = b"name,UTC,deg C,m/s,mm"
    return KnownFile(known.name, first + b"\n" + units + b"\n" + rest, known.truth)


def _logs() -> KnownFile:
    return _written(
        "iso-logs.csv",
        [
            _moments("timestamp", "%Y-%m-%dT%H:%M:%S.%f+00:00", "datetime"),
            _among("level", TEXT, "INFO", "WARN", "ERROR"),
            _among("host", TEXT, "192.168.100.101", "192.168.100.102"),
            _KnownColumn("ms", "integer", lambda _, random: str(random.randint(1, 9000))),
            _KnownColumn(
                "request", "string (uuid)", lambda n, _: f"123e4567-e89b-12d3-a456-{n:012d}"
            ),
            _among("url", "string (uri)", "https://example.com/a", "https://example.com/b?c=1"),
            _among("tags", "array", '["a"]', "[]", '["a", "b"]'),
        ],
    )


def _python_logs() -> KnownFile:
    return _written(
        "python-logs.csv",
        [
            _moments("asctime", "%Y-%m-%d %H:%M:%S,123", "datetime (%Y-%m-%d %H:%M:%S,%f)"),
            _among("levelname", TEXT, "INFO", "DEBUG"),
            _among("extra", "object", "{}", '{"a": 1}'),
        ],
        delimiter="\t",
    )


def _apache() -> KnownFile:
    return _written(
        "access-log.csv",
        [
            _moments("time", "%d/%b/%Y:%H:%M:%S +0000", "datetime (%d/%b/%Y:%H:%M:%S %z)"),
            _among("status", "integer", "200", "404", "500"),
            _among("path", TEXT, "/", "/index.html"),
            _KnownColumn(
                "bytes", "integer", lambda _, random: random.choice(("-", "512", "70455"))
            ),
        ],
        delimiter="|",
    )


def _fixed_dates() -> KnownFile:
    return _written(
        "fixed-dates.csv",
        [
            _days("posting_date", "%Y%m%d"),
            _KnownColumn("article", TEXT, lambda n, _: f"{n + 17:06d}"),
            _KnownColumn("code", TEXT, lambda n, _: f"A{n:03d}"),
            _KnownColumn("quantity", "integer", lambda _, random: str(random.randint(-5, 50))),
        ],
        delimiter=";",
    )


def _sensors() -> KnownFile:
    return _written(
        "sensors.csv",
        [
            _KnownColumn("ts", "integer", lambda n, _: str(1_735_689_600 + n * 60)),
            _number("value", "number", lambda v: f"{v / 1e6:.3e}"),
            _number("voltage", "number", lambda v: f"{v / 1000:.4f}"),
            _among("ok", "boolean", "true", "false"),
            _among("flag", "integer", "0", "1"),
            _number("drift", "number", lambda v: f"{v - 2500:+.1f}"),
        ],
        slips={"voltage": ["error", "NaN"], "value": ["overflow"]},
    )


def _customers() -> KnownFile:
    return _written(
        "customers.csv",
        [
            _KnownColumn("customer_id", "integer", lambda n, _: str(40_000 + n)),
            _among("phone", TEXT, "4930123456", "4940654321"),
            _days("born", "%d-%b-%y", TEXT),
            _days("since", "%d-%b-%y"),
            _KnownColumn("mail", "string (email)", lambda n, _: f"c{n}@example.org"),
            _among("zip", TEXT, "10115", "20095"),
            _among("vip", ("boolean (true: Y, false: N)",), "Y", "N"),
        ],
        slips={"born": ["16-Jul-48", "02-Feb-55"], "mail": ["none given"]},
    )


def _inventory() -> KnownFile:
    return _written(
        "inventory.csv",
        [
            _among("sku", TEXT, "12E4", "13E5", "77E2"),
            _KnownColumn("ean", TEXT, lambda n, _: str(4_006_381_333_900 + n)),
            _KnownColumn("stock", "integer", lambda _, random: str(random.randint(0, 900))),
            _number("price", "number", lambda v: f"{v:.2f}", most=90),
            _among("discontinued", ("boolean (true: T, false: F)",), "T", "F"),
            _KnownColumn("card", TEXT, lambda n, _: str(4_111_111_111_111_111 + n)),
        ],
        slips={"price": ["18,90 €"], "stock": ["two", "n/a"]},
    )


def _swiss() -> KnownFile:
    return _written(
        "swiss.csv",
        [
            _number("Betrag", 'number (groups by "\'")', lambda v: f"{v:,.2f}".replace(",", "'")),
            _number("CHF", f"number ({CURRENCY})", lambda v: f"CHF {v:.2f}", most=900),
            _days("Datum", "%d.%m.%Y"),
        ],
        delimiter=";",
    )


def _french() -> KnownFile:
    narrow = "\u202f"
    return _written(
        "french.csv",
        [
            _number(
                "montant",
                f"number (decimal comma, groups by {narrow!r})",
                lambda v: f"{v:,.2f}".replace(",", narrow).replace(".", ","),
            ),
            _days("jour", "%d/%m/%Y"),
            _among("payé", "boolean (true: oui, false: non)", "oui", "non"),
            _moments("heure", "%H:%M", "time (%H:%M)"),
        ],
        delimiter=";",
    )


def _accounting() -> KnownFile:
    return _written(
        "accounting.csv",
        [
            _count("account", 4000),
            _KnownColumn(
                "debit", TEXT, lambda n, r: f"({r.uniform(1, 90):.2f})" if n % 3 else "7.00"
            ),
            _KnownColumn(
                "sap", TEXT, lambda n, r: f"{r.uniform(1, 90):.2f}" + ("-" if n % 2 else "")
            ),
            _number("credit", "number", lambda v: f"{v:.2f}", most=900),
        ],
    )


def _booleans() -> KnownFile:
    return _written(
        "booleans.csv",
        [
            _among("a", "boolean (true: Y, false: N)", "Y", "N"),
            _among("b", "boolean (true: Yes/yes, false: No)", "yes", "Yes", "No"),
            _among("c", "boolean", "TRUE", "FALSE"),
            _among("d", "boolean (true: on, false: off)", "on", "off"),
            _among("e", TEXT, "N"),
            _among("f", TEXT, "yes", "no", "maybe", "later"),
        ],
    )


def _dirty() -> KnownFile:
    return _written(
        "dirty.csv",
        [
            _count("id"),
            _number("price", "number", lambda v: f"{v:.2f}", most=90),
            _days("day", "%Y-%m-%d", "date"),
            _KnownColumn(
                "n", "integer", lambda _, random: random.choice(("n/a", "-", "1", "20", "3"))
            ),
            _among("color", TEXT, "red", "NA", "blue"),
            _KnownColumn(
                "when",
                "datetime (%Y-%m-%d %H:%M:%S)",
                lambda n, _: f" {_moment(n):%Y-%m-%d %H:%M:%S} ",
            ),
        ],
        slips={"price": ["18,90 €", "free"], "day": ["31.12.2025"], "id": ["x"]},
    )


def _times() -> KnownFile:
    return _written(
        "times.csv",
        [
            _moments("start", "%H:%M:%S", "time"),
            _moments("end", "%I:%M %p", "time (%I:%M %p)"),
            _among("length", "duration", "PT5M", "PT1H30M", "P1DT2H"),
            _moments("stamp", "%m/%d/%Y %I:%M %p", "datetime (%m/%d/%Y %I:%M %p)"),
        ],
    )


def _periods() -> KnownFile:
    return _written(
        "periods.csv",
        [
            _KnownColumn("year", "year", lambda n, _: str(1990 + n % 30)),
            _KnownColumn("month", "yearmonth", lambda n, _: f"2025-{n % 12 + 1:02d}"),
            _among("quarter", TEXT, "2025-Q1", "2025-Q2"),
            _among("week", TEXT, "2025-W01", "2025-W22"),
            _KnownColumn("visitors", "integer", lambda _, random: str(random.randint(100, 9999))),
        ],
    )


def _headerless() -> KnownFile:
    return _written(
        "headerless.csv",
        [
            _count("field1", 1001),
            _days("field2", "%Y-%m-%d", "date"),
            _number("field3", "number", lambda v: f"{v:.2f}"),
            _among("field4", TEXT, "open", "paid"),
        ],
        header=False,
    )


def _genome() -> KnownFile:
    return _written(
        "expression.tsv",
        [
            _KnownColumn("gene", TEXT, lambda n, _: f"ENSG{n:08d}"),
            _KnownColumn(
                "fold", "number", lambda n, r: "NA" if n % 5 == 0 else f"{r.gauss(0, 2):.6f}"
            ),
            _number("p", "number", lambda v: f"{v / 1e7:.2e}"),
            _among("strand", TEXT, "+", "-"),
        ],
        delimiter="\t",
    )


def _trailing() -> KnownFile:
    known = _written(
        "trailing.csv",
        [_count("A"), _among("B", TEXT, "x", "y"), _number("C", "number", lambda v: f"{v:.1f}")],
        delimiter="|",
    )
    return KnownFile(known.name, known.content.replace(b"\n", b"|\n"), known.truth)


def _utf16() -> KnownFile:
    return _written(
        "excel-unicode.csv",
        [
            _among("Städte", TEXT, "Zürich", "Köln"),
            _number("Umsatz", GERMAN, _german),
            _days("Tag", "%d.%m.%Y"),
        ],
        delimiter="\t",
        encoding="utf-16",
    )


def _orders_of_days() -> KnownFile:
    return _written(
        "day-and-month.csv",
        [
            _days("booked", "%d/%m/%Y"),
            _among("due", ("date (%d/%m/%Y)", TEXT), "01/02/2025", "03/04/2025"),
            _days("shipped", "%d-%m-%Y"),
            _days("closed", "%Y/%m/%d"),
        ],
    )


def _invoices() -> KnownFile:
    return _written(
        "invoices.csv",
        [
            _KnownColumn(
                "InvoiceNo", TEXT, lambda n, _: f"{'C' if n % 15 == 7 else ''}{536_365 + n}"
            ),
            _among("StockCode", TEXT, "85123A", "71053", "84406B", "22752"),
            _KnownColumn("Quantity", "integer", lambda _, random: str(random.randint(-3, 12))),
            _moments("InvoiceDate", "%m/%d/%Y %H:%M", "datetime (%m/%d/%Y %H:%M)"),
            _number("UnitPrice", "number", lambda v: f"{v:.2f}", most=9),
            _KnownColumn(
                "Founded", TEXT, lambda n, _: f"{1900 + n}" + (" (1888)" if n % 12 == 0 else "")
            ),
        ],
    )


def _named_months() -> KnownFile:
    return _written(
        "named-months.csv",
        [
            _days("a", "%b %d %Y"),
            _days("b", "%B %d, %Y"),
            _days("c", "%d-%b-%Y"),
            _days("d", "%d %B %Y"),
            _KnownColumn(
                "e", "date (any)", lambda n, _: _day(n).strftime(("%Y-%m-%d", "%d %b %Y")[n % 2])
            ),
        ],
    )


def _measures() -> KnownFile:
    return _written(
        "measures.csv",
        [
            _number("share", f"integer ({CURRENCY})", lambda v: f"{v:.0f}%", most=90),
            _number("weight", TEXT, lambda v: f"{v:.1f} kg"),
            _number("lat", "number", lambda v: f"{v / 60:.5f}"),
            _number("point", TEXT, lambda v: f"{v / 60:.1f}, {v / 70:.1f}"),
            _number("mixed", TEXT, lambda v: f"{'€$'[int(v) % 2]}{v:.0f}"),
            _number(
                "sum",
                f"number (decimal comma, groups by '.', {CURRENCY})",
                lambda v: f"{_german(v)} €",
            ),
        ],
        delimiter=";",
    )


def _footer() -> KnownFile:
    return _written(
        "report-with-footer.csv",
        [
            _count("pos"),
            _among("item", TEXT, "beans", "grinder, small"),
            _number("net", "number", lambda v: f"{v:.2f}"),
            _KnownColumn("rate", "integer", lambda _, random: random.choice(("7", "19"))),
        ],
        above="Sales report\n\nAll shops\n",
        below="Total,,9999.00,\n\nExported by A. Smith\n",
    )


def _ghosts() -> KnownFile:
    return _written(
        "ghost-rows.csv",
        [_count("id"), _among("name", TEXT, "a", "b"), _days("day", "%Y-%m-%d", "date")],
        below=",,\n" * 30,
    )


def _twice() -> KnownFile:
    known = _written(
        "names-twice.csv",
        [
            _count("id"),
            _number("total", "number", lambda v: f"{v:.2f}"),
            _number("total_2", "number", lambda v: f"{v:.3f}", most=9),
            _among("field4", TEXT, "x", "y"),
        ],
    )
    first, _, rest = known.content.partition(b"\n")
    assert first == b"id,total,total_2,field4"
    return KnownFile(known.name, b"id,total,total,\n" + rest, known.truth)


_FILES: tuple[Callable[[], KnownFile], ...] = (
    *(_german_excel, _us_excel, _shopify, _bank, _two_row_header, _units, _logs, _python_logs),
    *(_apache, _fixed_dates, _sensors, _customers, _inventory, _swiss, _french, _accounting),
    *(_booleans, _dirty, _times, _periods, _headerless, _genome, _trailing, _utf16),
    *(_orders_of_days, _invoices, _named_months, _measures, _footer, _ghosts, _twice),
)
