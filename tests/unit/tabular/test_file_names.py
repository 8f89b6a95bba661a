"""Which names are ignored, processed and refused."""

from __future__ import annotations

import pytest

from tabular.errors import UnsupportedFormat
from tabular.file_names import (
    PROCESSED_SUFFIXES,
    IgnoredNames,
    InvalidPatterns,
    check_name,
    table_suffix,
    why_ignored,
)


@pytest.mark.parametrize("suffix", PROCESSED_SUFFIXES)
@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_suffixes_are_processed_in_any_case(suffix: str, change: type[str]) -> None:
    key = f"raw/orders/a b{change(suffix)}"
    assert why_ignored(key, 1) is None
    check_name(key)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("raw/orders/", "it marks a folder"),
        ("raw/orders_$folder$", "it marks a folder"),
        ("raw/orders/_SUCCESS", "its name begins with _"),
        ("raw/orders/.DS_Store", "its name begins with ."),
        ("raw/orders/._orders.csv", "its name begins with ."),
        ("raw/orders/a.csv.tmp", "its name ends with .tmp, so it is not complete"),
        ("raw/orders/a.csv.filepart", "its name ends with .filepart, so it is not complete"),
        ("raw/orders/a.csv.CrDownload", "its name ends with .crdownload, so it is not complete"),
        ("raw/orders/a.csv.PART", "its name ends with .part, so it is not complete"),
        ("raw/orders/a.partial", "its name ends with .partial, so it is not complete"),
        ("raw/orders/_temporary/0/task/a.csv", "it is below a folder _temporary/"),
        ("raw/_temporary/a.csv", "it is below a folder _temporary/"),
    ],
)
def test_names_on_the_list_are_ignored(key: str, reason: str) -> None:
    assert why_ignored(key, 0) == reason


@pytest.mark.parametrize(
    ("key", "size"),
    [
        ("raw/orders/", 1),
        ("raw/orders_$folder$", 1),
        ("raw/_orders/a.csv", 0),
        ("raw/.orders/a.csv", 0),
        ("raw/orders/a_temporary/b.csv", 0),
        ("raw/orders/tmp", 0),
        ("raw/orders/a.tmp.csv", 0),
        ("raw/orders/a.csv", 0),
    ],
)
def test_other_names_are_not_ignored(key: str, size: int) -> None:
    assert why_ignored(key, size) is None


@pytest.mark.parametrize(
    ("patterns", "name"),
    [
        ("*.pdf", "a.PDF"),
        ("README*", "readme.md"),
        ("x.csv , *~", "orders.csv~"),
        ("a?c.csv", "abc.csv"),
        ("a*b*c", "a1b2b3c"),
        ("Copy of *", "Copy of orders.csv"),
        ("*$folder$", "x$folder$"),
        ("~$*", "~$orders.xlsx"),
        ("{a}+(b).csv", "{a}+(b).csv"),
        ("a*", "a\nb"),
    ],
)
def test_the_parameter_ignores_further_names(patterns: str, name: str) -> None:
    ignored = IgnoredNames.parse(patterns)
    reason = why_ignored(f"raw/orders/{name}", 5, ignored)
    assert reason is not None
    assert reason.endswith("in IgnoredNames")


@pytest.mark.parametrize(
    ("patterns", "name"),
    [
        ("", "a.csv"),
        (" ", "a.csv"),
        ("a.csv", "aXcsv"),
        ("a?b", "ab"),
        ("*a", "ab"),
        ("a*", "ba"),
        ("orders", "orders/a.csv"),
        ("a*b*c", "ac"),
        ("a*a", "a"),
    ],
)
def test_a_pattern_is_about_the_whole_name(patterns: str, name: str) -> None:
    assert why_ignored(f"raw/orders/{name}", 5, IgnoredNames.parse(patterns)) is None


@pytest.mark.parametrize(
    "patterns",
    ["*", "*.*", "??", ".", "a.csv,", ",a", "a,,b", "x/y", "[ab]*", "a\nb", "*.pdf, *", "x" * 1001],
)
def test_an_invalid_pattern_or_one_that_matches_everything_is_refused(patterns: str) -> None:
    with pytest.raises(InvalidPatterns):
        IgnoredNames.parse(patterns)


def test_many_wildcards_take_little_time() -> None:
    ignored = IgnoredNames.parse("*a" * 400 + "b")
    assert ignored.match("a" * 1000) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raw/orders/a.xlsx", "names end with .xlsx. Export the sheet as CSV in UTF-8."),
        ("raw/orders/a.PARQUET", "names end with .parquet. If it is a CSV file, rename it"),
        ("raw/orders/a.json.gz", "ends with .gz, but the part before it is not the name of a CSV"),
        ("raw/orders/a.zip.gz", "rename it so that it ends with .csv.gz"),
        ("raw/orders/.gz", "rename it so that it ends with .csv.gz"),
        ("raw/orders/a.csv.zst", "names end with .zst. Compress the CSV file with gzip."),
        ("raw/orders/a.7z", "Pack the CSV file as .zip."),
        ("raw/orders/a", "does not say that it is a CSV file"),
        ("raw/orders.csv/a", "does not say that it is a CSV file"),
        ("raw/orders/", "does not say that it is a CSV file"),
        ("raw/orders/a.csv\n", "does not say that it is a CSV file"),
        ("raw/orders/a.Jane Doe", "does not say that it is a CSV file"),
    ],
)
def test_other_names_are_refused_with_what_to_send(name: str, words: str) -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        check_name(name)
    assert words in str(caught.value)
    assert "Send .csv, .tsv, .txt or .psv files" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.CSV", ".csv"), ("a.tsv.GZ", ".tsv"), ("a.zip", None), ("a.gz", None), ("csv", None)],
)
def test_the_suffix_of_a_table_is_found_before_that_of_compression(
    name: str, suffix: str | None
) -> None:
    assert table_suffix(name) == suffix
