"""Text from strangers: visible, without effect in e-mails and chats, exact for programs."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.message import attributes_of, message_of, subject_of, text_of
from notify.outcome import Document
from shared.text import exact_json, for_chat, printable, shell_word, visible_json
from tests.documentation.outcome_examples import STATUSES, document_of, state_document
from tests.unit.functions import documents
from webhook.post import body_of

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=50)
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")

EVIL = (
    "a\nStatus: succeeded\r\x1b[31m\x9b\u202e\u2066\u200b\u2028 <!channel> <http://evil|text>"
    " @channel @here **bold** [text](http://evil) http://evil `code` ```code```"
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("raw/orders/Größe 日本 🙂.csv", "raw/orders/Größe 日本 🙂.csv"),
        ("", ""),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x00\x1b[31m\x7f", r"\x00\x1b[31m\x7f"),
        ("\x85\x9b2J", r"\x85\x9b2J"),
        ("\u202egnp\u202c\u2066\u2069\u200e", r"\u202egnp\u202c\u2066\u2069\u200e"),
        ("a\u200b\u200d\ufeff\u2060\u00adb", r"a\u200b\u200d\ufeff\u2060\xadb"),
        ("\u2028\u2029\xa0\u3000", r"\u2028\u2029\xa0\u3000"),
        ("\ufe0f\u3164\u115f\u034f", r"\ufe0f\u3164\u115f\u034f"),
        ("\ud800\ue000\uffff\U000e0041", r"\ud800\ue000\uffff\U000e0041"),
    ],
)
def test_invisible_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(ANY_TEXT)
def test_a_printable_text_is_one_visible_line_and_stays_so(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if unicodedata.category(c) in UNSEEN]
    assert shown.splitlines() == ([shown] if shown else [])
    assert printable(shown) == shown
    assert len(shown) >= len(text)


@given(ANY_TEXT)
def test_text_in_a_chat_is_one_piece_of_code(text: str) -> None:
    code = for_chat(text)
    assert code[0] == code[-1] == "`"
    assert not set("<>`") & set(code[1:-1])
    assert code.isprintable()
    assert code[1:-1]
    assert "&" not in code.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


def test_a_chat_shows_the_text_itself() -> None:
    assert for_chat("a & b < c > `d`") == "`a &amp; b &lt; c &gt; 'd'`"


@given(
    st.recursive(
        ANY_TEXT | st.integers() | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_json_is_exact_and_visible(document: Any, indent: int | None, ascii_only: bool) -> None:
    text = exact_json(document, indent=indent, ascii_only=ascii_only)
    assert json.loads(text) == document
    assert not [c for c in text if c != "\n" and unicodedata.category(c) in UNSEEN]
    assert text.isascii() or not ascii_only
    assert visible_json(text) == text


def test_a_json_text_keeps_its_layout() -> None:
    assert visible_json('{\r\n\t"a":\r1, "\x7f\U000e0041"\n: 2}') == (
        '{\n\t"a":\n1, "\\u007f\\udb40\\udc41"\n: 2}'
    )


@given(ANY_TEXT.filter(lambda text: "\x00" not in text))
def test_a_word_for_the_shell_is_one_visible_line(text: str) -> None:
    word = shell_word(text)
    assert word.isprintable()
    assert not [c for c in word if unicodedata.category(c) in UNSEEN]


def hostile_documents() -> list[Document]:
    """The outcomes of a file whose key, dataset and error contain text from strangers."""
    source = {**documents.SOURCE, "key": f"raw/{EVIL}/{EVIL}.csv", "dataset": EVIL}
    failure = {"failed": {"failure": documents.failure("Odd", EVIL)}}
    return [
        document_of({**state_document(it), "source": source, **failure.get(it, {})}, it)
        for it in STATUSES
    ]


@pytest.mark.parametrize("document", hostile_documents(), ids=STATUSES)
def test_a_mail_has_the_lines_that_the_pipeline_wrote_and_no_others(document: Document) -> None:
    lines = text_of(document).split("\n")
    assert not [line for line in lines if line.startswith("Status: ")]
    assert all(line.isprintable() for line in lines)
    assert any(r"a\nStatus: succeeded\r\x1b[31m" in line for line in lines)


@pytest.mark.parametrize("document", hostile_documents(), ids=STATUSES)
def test_subject_and_attributes_are_what_sns_takes(document: Document) -> None:
    subject = subject_of(document)
    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) < 100
    attributes = attributes_of(document)
    assert all(value and value.isprintable() for value in attributes.values())
    assert attributes["dataset"].startswith(r"a\nStatus: succeeded")


@pytest.mark.parametrize("document", hostile_documents(), ids=STATUSES)
def test_a_chat_mentions_nobody_and_links_nowhere_else(document: Document) -> None:
    machine = json.loads(message_of(document))["default"]
    body = json.loads(body_of({"Message": machine, "Subject": f"Subject {EVIL}"}))
    outside = [part for line in body["text"].split("\n") for part in line.split("`")[::2]]
    assert {part.strip() for part in outside} <= {
        *("", "Source:", "File ID:", "Superseded by:", ":", "197 processed, 3 rejected"),
        document["links"]["execution"],
    }
    assert not set("<>") & set(body["text"])
    assert all(line.isprintable() for line in body["text"].split("\n"))
    assert body["subject"].isprintable()
    # Programs get the text itself.
    assert body["notification"] == document
    assert body["notification"]["source"]["uri"].endswith(f"raw/{EVIL}/{EVIL}.csv")


@pytest.mark.parametrize("message", [EVIL, json.dumps({"AlarmName": "a", "NewStateReason": EVIL})])
def test_in_a_chat_other_messages_have_no_effect_either(message: str) -> None:
    body = json.loads(body_of({"Message": message, "Subject": EVIL}))
    assert not set("<>") & set(body["text"])
    for line in body["text"].split("\n"):
        assert line.isprintable()
        assert (line[0], line[-1], line.count("`")) == ("`", "`", 2)
