from __future__ import annotations

import pytest

from index.errors import UnsupportedFormat, WrongEncoding
from index.load import load
from index.load.decode import codec


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
def test_a_byte_order_mark_says_the_encoding(encoding: str) -> None:
    assert load("Größe: 5 €".encode(encoding), "a.txt").text == "Größe: 5 €"


def test_bytes_that_are_not_utf8_are_refused_with_offset_and_way_out() -> None:
    with pytest.raises(WrongEncoding, match=r"not utf-8: byte 0xe9 at offset 3 .* pass --encoding NAME"):
        load(b"caf\xe9 au lait", "a.txt")


def test_a_given_encoding_is_used_only_where_utf8_does_not_fit() -> None:
    assert load(b"caf\xe9 au lait", "a.txt", encoding="latin-1").text == "café au lait"
    assert load("café".encode(), "a.txt", encoding="latin-1").text == "café"
    assert load("wide text".encode("utf-16-le"), "a.txt", encoding="utf-16-le").text == "wide text"
    with pytest.raises(WrongEncoding, match="not utf-8, nor ascii"):
        load(b"caf\xe9", "a.txt", encoding="ascii")


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13"])
def test_an_unknown_encoding_is_refused_before_anything_is_read(name: str) -> None:
    with pytest.raises(ValueError, match=f"unknown encoding: {name}"):
        load(b"text", "a.txt", encoding=name)
    assert codec("Windows-1252") == "cp1252"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"%PDF-1.7 text", "binary data (PDF)"),
        (b"PK\x03\x04rest", "binary data (a zip archive"),
        (b"\x89PNG\r\n\x1a\n", "binary data (a PNG image)"),
        (b"\xff\xd8\xff\xe0", "binary data (a JPEG image)"),
        (b"\x1f\x8b\x08\x00", "binary data (gzip)"),
        (b"SQLite format 3\x00", "binary data (an SQLite database)"),
        (b"\x7fELF\x02", "binary data (a program)"),
        (b"text\x00text", "binary data, not text"),
        (b"\x01\x02\x03\x04ab", "binary data, not text"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_binary_data_is_refused_whatever_its_name_and_encoding(data: bytes, what: str, name: str) -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        load(data, name, encoding="latin-1")
    assert what in caught.value.reason


# ---- guessing, where nothing says the encoding ----------------------------------------------------------------------

GERMAN = "Die Größe der Brücke über die Straße wurde geändert, sagte Bürgermeister Jörg Müller am Donnerstag."
FRENCH = "Le maire a déclaré que l’école serait fermée jusqu’à l’été – “c’est nécessaire”, a-t-il ajouté à la presse."
SPANISH = "El año pasado, la señora Núñez compró una casa pequeña en la montaña, según informó el periódico."
ENGLISH = "The council’s plan – “a mess”, as the mayor’s deputy called it – was dropped. It’s over; cranes aren’t old."
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy – „řekl“. Rada města v pondělí rozhodla uzavřít most přes řeku."
POLISH = "Rada miasta postanowiła w poniedziałek zamknąć most nad rzeką, ponieważ jego filary są zbyt słabe."
HUNGARIAN = "A városi tanács hétfőn úgy döntött, hogy lezárja a folyó feletti hidat. Az őszi árvíz óta mindenki tudta."
RUSSIAN = "Городской совет в понедельник решил закрыть мост через реку, потому что его опоры слишком слабы."
GREEK = "Το δημοτικό συμβούλιο αποφάσισε τη Δευτέρα να κλείσει τη γέφυρα πάνω από το ποτάμι."
HEBREW = "מועצת העיר החליטה ביום שני לסגור את הגשר מעל הנהר, כי הוא חלש מדי."
ARABIC = "قرر مجلس المدينة يوم الاثنين إغلاق الجسر فوق النهر لأن أعمدته ضعيفة جدا."
TURKISH = "Belediye pazartesi günü köprüyü kapatmaya karar verdi; ayakları çok zayıftı. Işıklar söndü, ağaç şaşırdı."
JAPANESE = (
    "市議会は月曜日、川に架かる橋を閉鎖することを決めた。橋脚が弱すぎるためである。住民は遠回りをしなければならない。"
)
CHINESE = "市议会星期一决定关闭河上的大桥，因为桥墩太弱。居民将不得不绕道而行。据报道，维修需要两年时间。"
TAIWANESE = "市議會星期一決定關閉河上的大橋，因為橋墩太弱。居民將不得不繞道而行。據報導，維修需要兩年時間。"
KOREAN = "시의회는 월요일에 강 위의 다리를 폐쇄하기로 결정했다. 교각이 너무 약하기 때문이다. 주민들은 돌아가야 한다."
CLEAR = [
    (GERMAN, "cp1252"), (GERMAN, "latin-1"), (ENGLISH, "cp1252"), (CZECH, "cp1250"), (POLISH, "iso-8859-2"),
    (RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (GREEK, "cp1253"), (GREEK, "iso-8859-7"), (ARABIC, "cp1256"),
    (CHINESE, "gb18030"), (TAIWANESE, "big5"), (KOREAN, "euc-kr"),
]  # fmt: skip
# A second encoding makes as much sense of these, or there is none among the usual ones that makes any.
UNCLEAR = [
    (FRENCH, "cp1252"), (SPANISH, "cp1252"), (HUNGARIAN, "iso-8859-2"), (TURKISH, "cp1254"), (HEBREW, "cp1255"),
    (JAPANESE, "shift_jis"), (JAPANESE, "euc-jp"), (GERMAN, "cp850"), (GERMAN, "mac_roman"), (GERMAN, "cp437"),
    (FRENCH, "mac_roman"), (SPANISH, "cp850"), (POLISH, "cp852"), (RUSSIAN, "cp866"), (RUSSIAN, "iso-8859-5"),
    ("café au lait", "cp1252"), ("Привет", "cp1251"), ("café " * 100, "cp850"), ("Привет " * 100, "iso-8859-5"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "encoding"), CLEAR)
def test_a_short_text_in_a_usual_encoding_is_read_where_one_alone_makes_sense_of_it(text: str, encoding: str) -> None:
    assert load(text.encode(encoding), "a.txt").text == text


@pytest.mark.parametrize(("text", "encoding"), UNCLEAR)
def test_where_the_encoding_is_not_clear_the_user_is_asked(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    with pytest.raises(WrongEncoding, match="convert it to UTF-8 or pass --encoding NAME"):
        load(data, "a.txt")
    assert load(data, "a.txt", encoding=encoding).text == text.strip()


@pytest.mark.parametrize("text", [GERMAN, RUSSIAN, JAPANESE])
def test_damaged_utf8_is_not_taken_for_another_encoding(text: str) -> None:
    with pytest.raises(WrongEncoding, match="not utf-8"):
        load(text.encode() * 5 + b"\xff" + GERMAN.encode("latin-1"), "a.txt")


def test_what_is_said_comes_before_what_is_guessed() -> None:
    assert load(RUSSIAN.encode("cp1251"), "a.txt", encoding="cp1252").text.startswith("Ãîðîäñêîé")
    assert load(b"<meta charset=cp1252><p>" + RUSSIAN.encode("cp1251"), "a.html").text.startswith("Ãîðîäñêîé")
