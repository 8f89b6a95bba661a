"""Which encoding is suggested, and that the file is valid in it."""

# ruff: noqa: RUF001
from __future__ import annotations

import pytest

from tabular.encoding import find_encoding
from tabular.errors import UnsupportedEncoding
from tabular.reading.encoding_advice import is_certainly_utf8, suggest_encoding
from tests.unit.tabular.engine import contract_of, layout_of, run

TEXTS = {
    "cp932": "会社名,担当,型番\n㈱石川商店,髙橋,100\nノート,鈴木,200\n東京会社,佐藤,300\n",
    "euc_jp": "会社名,担当,型番\n石川の商店,たかはし,100\nノート,鈴木,200\n",
    "cp949": "이름,도시,금액\n김철수,서울특별시,100\n박영희,부산광역시,200\n",
    "gbk": "名称,城市,金额\n李四,北京市,100\n有限公司的产品,上海是在中国,200\n",
    "cp950": "名稱,城市,金額\n李四,臺北市,100\n有限公司的產品,高雄是在台灣,200\n",
    "cp1252": "größe,name\n12,Müller\n3,Café à la crème\n4,€ 5\n",
    "cp1250": "město,název\nBrno,Žižkov příliš žluťoučký kůň\nŁódź,gęś żółta\n",
    "cp1251": "имя,город\nИван Петров,Москва\nАнна,Нижний Новгород и область\n",
    "koi8-r": "имя,город\nИван Петров,Москва\nАнна,Нижний Новгород и область\n",
    "cp866": "имя,город\nИван Петров,Москва\nАнна,Нижний Новгород\n",
    "cp1253": "όνομα,πόλη\nΓιώργος,Αθήνα\nΜαρία,Θεσσαλονίκη\n",
    "cp1255": "שם,עיר\nדוד,ירושלים\nרחל,תל אביב\n",
    "cp1256": "الاسم,المدينة\nمحمد,القاهرة\nفاطمة,دمشق\n",
    "cp874": "ชื่อ,เมือง\nสมชาย,กรุงเทพมหานคร\nสมหญิง,เชียงใหม่\n",
    "cp850": "größe,name\n12,Müller\n3,Über älter\n4,ça é à\n",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_the_encoding_of_ordinary_text_is_suggested(encoding: str) -> None:
    text = TEXTS[encoding]
    assert suggest_encoding(text.encode(encoding)) == encoding
    with pytest.raises(UnsupportedEncoding, match=f'"encoding": "{encoding}"'):
        layout_of(text.encode(encoding))
    assert find_encoding(encoding).to_utf8(text.encode(encoding)) == (text.encode(), ())


@pytest.mark.parametrize("encoding", [name for name in TEXTS if name != "cp1252"])
def test_utf8_is_suggested_where_a_contract_names_another_encoding(encoding: str) -> None:
    assert suggest_encoding(TEXTS[encoding].encode(), "cp1252") == "utf-8"


@pytest.mark.parametrize(
    ("named", "superset", "text"),
    [
        ("shift_jis", "cp932", "㈱石川商店"),
        ("euc_kr", "cp949", "뷁"),
        ("iso8859-1", "cp1252", "€"),
        ("gb2312", "gbk", "镕"),
        ("gbk", "gb18030", "𠮷"),
    ],
)
def test_the_windows_code_page_of_the_same_name_comes_first(
    named: str, superset: str, text: str
) -> None:
    assert suggest_encoding(f"{text},x\n".encode(superset), named) == superset


def test_rejected_rows_name_the_encoding_that_the_file_is_valid_in() -> None:
    fields = [{"name": name} for name in ("会社名", "担当", "型番")]
    result = run(TEXTS["cp932"].encode("cp932"), contract_of(*fields, encoding="shift_jis"))
    assert result.codes == {1: ["encoding-error"]}
    assert '"encoding": "cp932"' in result.rejects[0]["errors"][0]["message"]


@pytest.mark.parametrize(
    "text",
    [
        "id,note\n1,it\u2019s here\n2,Ann\u2019s\n",
        "Bank\xa0,City\xa0\n1,San Jos\xe9\n",
        "a,b\n\u201cquoted\u201d,x\n1,5\u20136\n",
        "id,are you a fan?\u0152\xe6,which of these have you seen?\n1,2,3\n",
    ],
)
def test_the_punctuation_of_windows_is_not_taken_for_japanese(text: str) -> None:
    assert suggest_encoding(text.encode("cp1252")) == "cp1252"


def test_damaged_rows_of_a_file_are_not_another_encoding() -> None:
    content = "name,n\nMüller,1\nGroß,2\n".encode() + b"\xffx,3\n"
    assert suggest_encoding(content) is None
    message = run(content).rejects[0]["errors"][0]["message"]
    assert message.endswith("name it in the contract")


def test_only_encodings_in_which_the_sample_is_valid_are_suggested() -> None:
    assert suggest_encoding(b"\x81\xff\x00\xfe\n") is None
    with pytest.raises(UnsupportedEncoding) as caught:
        layout_of(b"\xff,b\n\xfe\0\n")
    assert "example" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["cp1252", "iso8859-1", "cp1251", "cp850", "koi8-r"])
def test_utf8_under_a_single_byte_encoding_is_refused(encoding: str) -> None:
    contract = contract_of({"name": "id"}, {"name": "name"}, encoding=encoding)
    with pytest.raises(UnsupportedEncoding, match='Put "encoding": "utf-8" into the contract'):
        layout_of("id,name\n1,Zoë\n2,plain\n".encode(), contract)
    assert layout_of(b"id,name\n1,plain\n", contract).encoding == contract.encoding


@pytest.mark.parametrize("encoding", TEXTS)
def test_text_in_its_own_encoding_is_not_taken_for_utf8(encoding: str) -> None:
    assert not is_certainly_utf8(TEXTS[encoding].encode(encoding), find_encoding(encoding))
    assert is_certainly_utf8(TEXTS[encoding].encode(), find_encoding(encoding))


def test_two_letters_that_happen_to_be_valid_utf8_are_left_to_a_multi_byte_encoding() -> None:
    lucky = next(
        bytes(pair)
        for pair in ((lead, trail) for lead in range(0xC2, 0xE0) for trail in range(0xA1, 0xC0))
        if not is_certainly_utf8(bytes(pair), find_encoding("gbk"))
    )
    assert lucky.decode()
    assert lucky.decode("gbk")
