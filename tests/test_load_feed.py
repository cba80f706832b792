"""RSS and Atom: an entry is a document."""

from __future__ import annotations

import pytest

from index.errors import DocumentError, UnsupportedFormat
from index.load import load_all
from index.types import LoadedDocument, Metadata

RSS = """<?xml version="1.0" encoding="{encoding}"?>
<!-- made by hand --><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"><channel>
<title>The Gazette &amp; Mail</title><link>https://example.org</link><language>en-GB</language>
<image><title>Logo</title></image>
<item><media:title>Picture</media:title><title>AT&T &amp;amp; the caf&eacute;</title>
<guid isPermaLink="false">tag:1</guid><link>https://example.org/1</link>
<pubDate>Sat, 10 Jan 2026 08:00:00 +0900</pubDate>
<dc:creator>Ada Byron</dc:creator>
<category>harbour</category><category>ships</category><description>Short.</description>
<content:encoded><![CDATA[
<p>The harbour &amp; the quay are <b>closed</b>.</p><p>Ships wait.</p>]]></content:encoded></item>
<item><title>Plain</title><author>desk@example.org (The Desk)</author>
<description>If a &lt; b, wait — so</description></item>
<item><title>Nothing</title></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>Amtsblatt</title>
<author><name>Die Stadt</name></author>
<entry><id>urn:1</id><title type="html">Der &lt;i&gt;Hafen&lt;/i&gt;</title>
<link rel="self" href="https://example.org/self"/><link href="https://example.org/1"/>
<published>2026-01-10T08:00:00Z</published><updated>2026-02-01T08:00:00Z</updated><category term="Hafen"/>
<summary>Kurz.</summary>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">
<p>Der Hafen ist <b>zu</b>.</p><p>Schiffe warten.</p></div></content>
</entry>
<entry xml:lang="en"><id>urn:2</id><title>Two</title><author><name>Ada</name></author><updated>2026-02-01</updated>
<content type="html">&lt;p&gt;It is closed.&lt;/p&gt;</content></entry></feed>"""

RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Old News</title><dc:language>fr</dc:language></channel>
<item><title>Port</title><link>https://example.org/p</link><dc:date>2026-01-10</dc:date><description>Fermé.</description></item>
</rdf:RDF>"""


def entries(source: str | bytes, name: str = "a.xml") -> tuple[LoadedDocument, ...]:
    return load_all(source if isinstance(source, bytes) else source.encode(), name).documents


def test_an_rss_item_is_a_document_with_its_full_content() -> None:
    first, second = entries(RSS.format(encoding="utf-8"), "a.rss")
    assert first == LoadedDocument(
        text="The harbour & the quay are closed.\n\nShips wait.",
        metadata=Metadata(
            title="AT&T & the café",
            author="Ada Byron",
            publisher="The Gazette & Mail",
            published_at="2026-01-10T08:00:00+09:00",
            language="en-GB",
            url="https://example.org/1",
            tags=("harbour", "ships"),
        ),
        member="tag:1",
    )
    assert (second.member, second.text) == ("2", "If a < b, wait — so")
    assert (second.metadata.title, second.metadata.author) == ("Plain", "The Desk")


def test_an_item_without_text_is_a_failure() -> None:
    [failure] = load_all(RSS.format(encoding="utf-8").encode(), "a.rss").failures
    assert str(failure) == "a.rss#3: nothing to read in it: no letter and no digit"


def test_a_feed_is_decoded_as_it_declares() -> None:
    assert entries(RSS.format(encoding="windows-1252").encode("cp1252"))[1].text == "If a < b, wait — so"


def test_an_atom_entry_is_a_document_in_whatever_its_content_is_written() -> None:
    first, second = entries(ATOM)
    assert first.text == "Der Hafen ist zu.\n\nSchiffe warten."
    assert first.metadata == Metadata(
        title="Der Hafen",
        author="Die Stadt",
        publisher="Amtsblatt",
        published_at="2026-01-10T08:00:00+00:00",
        language="de",
        url="https://example.org/1",
        tags=("Hafen",),
    )
    assert (second.member, second.text) == ("urn:2", "It is closed.")
    assert (second.metadata.author, second.metadata.language, second.metadata.published_at) == (
        "Ada",
        "en",
        "2026-02-01",
    )


def test_an_item_of_rss_1_stands_beside_its_channel() -> None:
    [item] = entries(RDF)
    assert (item.member, item.text) == ("https://example.org/p", "Fermé.")
    assert item.metadata == Metadata(
        title="Port", publisher="Old News", published_at="2026-01-10", language="fr", url="https://example.org/p"
    )


def test_what_stands_before_a_break_is_kept() -> None:
    loaded = load_all(RSS.format(encoding="utf-8").encode()[:-20], "a.rss")
    assert [one.member for one in loaded.documents] == ["tag:1", "2"]
    assert "broken XML after 2 entries" in loaded.failures[-1].reason


def test_other_xml_is_no_feed() -> None:
    for source in [
        "<project><item><description>x</description></item></project>",
        "<a/>",
        '<?xml version="1.0"?><svg/>',
    ]:
        with pytest.raises(UnsupportedFormat, match="XML, but neither RSS nor Atom: it begins with <"):
            entries(source)


def test_no_entity_is_unfolded_and_nothing_is_fetched() -> None:
    laughs = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    outside = '<!ENTITY file SYSTEM "file:///etc/passwd"><!ENTITY % more SYSTEM "http://127.0.0.1:9/x"> %more;'
    source = (
        f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "haha">{laughs}{outside}]><rss><channel><title>&j;</title>'
        "<item><title>&file;</title><description>He laughed &j; and &file; again.</description></item></channel></rss>"
    )
    [document] = entries(source)
    assert document.text == "He laughed &j; and &file; again."
    assert document.metadata.title == "&file;"


@pytest.mark.parametrize(
    "source",
    [
        "<rss><channel><item><description>"
        + "&lt;div&gt;" * 20_000
        + "x&lt;/div&gt;</description></item></channel></rss>",
        "<rss>" + "<a>" * 10_000,
        "<rss>" + "<![CDATA[" * 100_000,
        "<rss>" + "<!--" * 100_000,
        "<rss>" + "&" * 200_000,
    ],
)
def test_a_hostile_feed_is_refused(source: str) -> None:
    with pytest.raises(DocumentError):
        entries(source)
