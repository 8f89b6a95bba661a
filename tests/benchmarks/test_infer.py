"""At least 95% of the columns of files of known truth are typed as a careful person would."""

from __future__ import annotations

from tests.benchmarks.infer import LEAST_SHARE, result_of, share
from tests.benchmarks.infer_files import KnownFile, known_files


def test_nearly_all_columns_are_typed_as_they_should_be() -> None:
    results = [result_of(known) for known in known_files()]

    assert len(results) >= 30
    assert share(results) >= LEAST_SHARE, [result.wrong for result in results if result.wrong]


def test_a_wrong_type_counts_against_the_share() -> None:
    known = KnownFile("a.csv", b"n,s\n1,x\n2,y\n", {"n": "date", "s": ("string", "any")})
    result = result_of(known)

    assert result.wrong == (("n", "integer", "date"),)
    assert share([result]) == 0.5
