"""Writes files as other systems export them, for the tutorial: `python events/make_samples.py DIR`.

With `--large 200`, it also writes `large.csv` of 200 MiB. The same call writes the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

FIRST_DAY = date(2026, 1, 5)
CUSTOMERS = ("Müller", "Schäfer", "Weiß", "Jäger")
COMPANIES = ("Smith, Inc.", "O'Neil", "Acme")
ROWS_AT_ONCE = 20_000


def day(number: int) -> date:
    """The date `number` days after the first."""
    return FIRST_DAY + timedelta(days=number)


def written(rows: Iterable[Sequence[object]], delimiter: str = ",") -> str:
    """Rows as CSV, with quotes where they are needed."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def german(amount: float) -> str:
    """An amount with decimal comma and groups: `1.234,50`."""
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


def excel_german() -> bytes:
    """A sheet saved by Excel on a German computer: its code page, semicolons, a total."""
    rows = [
        (
            f"{n + 1:05}",
            f"{CUSTOMERS[n % 4]} GmbH",
            f"{day(n):%d.%m.%Y}",
            f"{german(1000.5 + 91.25 * n)} €",
            "19%",
            "ja" if n % 3 else "nein",
        )
        for n in range(40)
    ]
    head = ("Auftrag", "Kunde", "Datum", "Betrag", "MwSt", "Bezahlt")
    total = ("Summe", "", "", f"{german(111_195)} €", "", "")
    return written([head, *rows, total], ";").encode("cp1252")


def excel_us() -> bytes:
    """A sheet saved by Excel as CSV UTF-8 on a computer in the USA."""
    rows = [
        (
            f"INV-{n + 1:04}",
            COMPANIES[n % 3],
            f"{day(n).month}/{day(n).day}/{day(n).year}",
            f"(${20.5 + n:,.2f})" if n % 7 == 6 else f"${1000.5 + 91.25 * n:,.2f}",
            f"{n % 3 * 5}%",
            "TRUE" if n % 3 else "FALSE",
        )
        for n in range(40)
    ]
    head = ("Invoice", "Customer", "Date", "Amount", "Discount", "Paid")
    return written([head, *rows]).encode("utf-8-sig")


def shopify() -> bytes:
    """Orders exported by Shopify: further items of an order have rows with blank order columns."""
    head = (
        *("Name", "Email", "Financial Status", "Paid at", "Currency", "Total", "Created at"),
        *("Lineitem quantity", "Lineitem name", "Lineitem price", "Lineitem requires shipping"),
        *("Billing Street", "Billing Zip", "Cancelled at", "Id", "Phone"),
    )
    rows: list[Sequence[object]] = []
    for n in range(30):
        at = f"{datetime(2026, 3, 1, 8) + timedelta(hours=5 * n):%Y-%m-%d %H:%M:%S} +0100"
        order = (f"#{1001 + n}", f"c{n}@example.com")
        item = (n % 3 + 1, "Milk jug, 350 ml", "12.50", "true")
        buyer = ("1 Main St\nApt 4", "'01234", "", 5_500_000_000_000 + n, "'+49 30 123")
        rows.append((*order, "paid", at, "EUR", "29.90", at, *item, *buyer))
        if n % 4 == 3:
            rows.append((*order, "", "", "", "", at, *item, "", "", "", "", "'+49 30 123"))
    return written([head, *rows]).encode()


def bank() -> bytes:
    """An account statement: lines above the header, decimal commas, two-digit years, a total."""
    lines = [
        *("Kontonummer;DE12 3456", "Zeitraum;05.01.2026 - 29.01.2026", "Saldo;1.234,56 EUR", ""),
        "Buchungstag;Wertstellung;Verwendungszweck;Betrag;Währung",
        *(
            f"{day(n):%d.%m.%y};{day(n):%d.%m.%y};Miete {n + 1};-{german(800 + 12.5 * n)};EUR"
            for n in range(25)
        ),
        *("", "Summe der Umsätze;;;-23.750,00;EUR"),
    ]
    return ("\r\n".join(lines) + "\r\n").encode("iso-8859-15")


def survey() -> bytes:
    """Answers to a survey, with the questions in the first row and their parts in the second."""
    rows = [
        (
            n + 1,
            n % 5 + 1,
            n * 3 % 5 + 1,
            "N/A" if n % 6 == 5 else n * 2 % 5 + 1,
            "Yes" if n % 3 else "No",
            "Good, but\nslow" if n % 4 == 1 else "",
        )
        for n in range(35)
    ]
    questions = ("Respondent", "Q1 How satisfied are you with", "", "", "Q2 Recommend us?", "")
    parts = ("ID", "Product", "Price", "Support", "Yes/No", "Why?")
    return written([questions, parts, *rows]).encode()


def logs() -> bytes:
    """Lines of a log with ISO times, of which some have another offset."""
    rows = [
        (
            f"2026-03-01T{n // 10:02}:{n % 60:02}:{n * 7 % 60:02}.{n:03}"
            + ("Z" if n % 3 else "+01:00"),
            ("INFO", "WARN", "ERROR")[n % 3],
            n * 4 + 0.5 if n % 3 == 0 else n * 4,
            f'GET /x?q={n}, "ok"',
        )
        for n in range(200)
    ]
    return written([("timestamp", "level", "duration_ms", "message"), *rows]).encode()


def fixed_dates() -> bytes:
    """Dates without separators, months, quarters, and dates in words."""
    rows = [
        (
            n + 1,
            f"{day(n):%Y%m%d}",
            f"{day(n):%Y-%m}",
            f"2026Q{n % 4 + 1}",
            f"{day(n):%b} {day(n).day}, 2026",
        )
        for n in range(50)
    ]
    return written([("id", "day", "month", "quarter", "shipped"), *rows]).encode()


def tabs() -> bytes:
    """A database's export with tabs, whose quotes are part of the values."""
    lines = ["id\tname\twidth", *(f'{n}\tpipe 3" x {n}\t{n / 4}' for n in range(100))]
    return ("\n".join(lines) + "\n").encode()


def sensor_day(number: int) -> bytes:
    """One of sixty small files, a day each."""
    rows = [
        (f"s{number % 7}", f"{day(number)}T{hour:02}:00:00Z", f"{number % 20 + hour / 10:.1f}")
        for hour in range(24)
    ]
    return written([("sensor", "read_at", "celsius"), *rows]).encode()


def write_large(path: Path, mebibytes: int) -> None:
    """Write orders until the file has at least this size."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("id,ordered_at,country,quantity,price,note\n")
        start = 0
        while file.tell() < mebibytes * 1024 * 1024:
            file.writelines(
                f"{n},{day(n % 300)}T{n % 24:02}:00:00Z,{('DE', 'FR', 'NL')[n % 3]},{n % 9 + 1},"
                f'{n % 977 / 4},"note {n}, quoted"\n'
                for n in range(start, start + ROWS_AT_ONCE)
            )
            start += ROWS_AT_ONCE


FILES = {
    "excel-german.csv": excel_german,
    "excel-us.csv": excel_us,
    "shopify-orders.csv": shopify,
    "bank.csv": bank,
    "survey.csv": survey,
    "logs.csv": logs,
    "fixed-dates.csv": fixed_dates,
    "export.tsv": tabs,
}


def write_samples(folder: Path) -> None:
    """Write all files but the large one."""
    (folder / "days").mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        (folder / name).write_bytes(make())
    (folder / "logs.csv.gz").write_bytes(gzip.compress(logs(), mtime=0))
    with zipfile.ZipFile(folder / "survey.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("survey.csv"), survey())
    for number in range(60):
        (folder / "days" / f"{day(number)}.csv").write_bytes(sensor_day(number))


def main() -> None:
    """Write the files into the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--large", type=int, metavar="MIB", help="also write large.csv")
    options = parser.parse_args()
    write_samples(options.folder)
    if options.large is not None:
        write_large(options.folder / "large.csv", options.large)


if __name__ == "__main__":
    main()
