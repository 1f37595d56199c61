"""Words as people write them: each pair finds the other, and first."""

from __future__ import annotations

import pytest

from langchain_chroma_hybrid import Analyzer, ChromaHybridRetriever, TantivyIndex
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.rank_bm25 import RankBM25Index
from tests.helpers import make_store

NUMBERS = [
    ("10mg", "10 mg", "10 tablets of 5 mg"),
    ("10mg", "10\u00a0mg", "5 mg for 10 days"),
    ("10mg", "10\u202fmg", "20mg and 10 more"),
    ("5GB", "5 GB", "16 GB in 5 colours"),
    ("12V", "12 V", "12 pieces of 24 V"),
    ("12kg", "12\u2009kg", "12 of 7 kg"),
    ("500mAh", "500 mAh", "500 pieces, 20 mAh"),
    ("USB3", "USB 3", "USB 2 with 3 ports"),
    ("USB3.0", "USB 3.0", "USB 2.0 or 3.0"),
    ("COVID19", "COVID 19", "covid in 19 countries"),
    ("COVID19", "COVID-19", "covid in 19 countries"),
    ("iPhone15", "iPhone 15", "iPhone 14 and 15 cables"),
    ("Windows11", "Windows 11", "Windows 10 in 11 steps"),
    ("M8x1.25", "M8 x 1.25", "M8 screws of 1.25 kg"),
    ("M8x1.25", "M8 \u00d7 1.25", "M8 screws of 1.25 kg"),
    ("1920x1080", "1920 x 1080", "1080 of 1920"),
    ("1920x1080", "1920\u00d71080", "1080 of 1920"),
    ("10x15cm", "10 x 15 cm", "15 cm for 10 x"),
    ("3.5mm", "3.5 mm", "3.5 inches, 4 mm"),
    ("2.4GHz", "2.4 GHz", "2.4 m and 5 GHz"),
    ("1000mg", "1,000 mg", "1000 of 5 mg"),
    ("5\u00b5g", "5 \u03bcg", "5 mg"),
    ("37\u00b0C", "37 \u00b0C", "37 of C and D"),
    ("100km/h", "100 km/h", "100 km in 2 h"),
    ("10mg/ml", "10 mg/ml", "10 ml of 5 mg"),
    ("5g/dL", "5 g/dL", "5 dL with 2 g"),
    ("COVID-19", "Covid 19", "19 people with covid"),
    ("GPT-4", "GPT 4", "4 of GPT, 3"),
    ("GPT-4", "GPT4", "4 of GPT, 3"),
    ("vitamin B12", "vitamin B 12", "vitamin C, 12 tablets"),
    ("16GB RAM", "16 GB RAM", "16 RAM of 4 GB"),
    ("PlayStation5", "PlayStation 5", "5 games for a PlayStation"),
    # As written: the whole first.
    ("10 mg", "10\u00a0mg", "10 tablets of 5 mg|mg mg 10 and 10|100 mg 10 times"),
    ("USB 3", "usb 3", "USB 2 with 3 ports|3 and 3 of usb, usb"),
]
NAMES = [
    ("parseXMLReply", "parse XML reply", "a reply to parse"),
    ("parseXMLReply", "parse_xml_reply", "a reply"),
    ("getUserID", "get user ID", "get an ID"),
    ("getUserID", "get_user_id", "a user"),
    ("getUserID", "getUserId", "a user"),
    ("userID", "user ID", "the user manual"),
    ("base64Decode", "base 64 decode", "64 things"),
    ("getHTTPResponseCode", "get HTTP response code", "the response"),
    ("IOException", "IO exception", "an exception"),
    ("MAX_BUFFER_SIZE", "maxBufferSize", "a buffer"),
    ("orderService", "order_service", "a service"),
    ("Acme::OrderService", "OrderService", "an order"),
    ("com.acme.OrderService.placeOrder", "placeOrder", "an order"),
    ("Vue.js", "VueJS", "vue"),
    ("D3.js", "D3js", "vitamin D3"),
    ("socket.io", "socketio", "a socket"),
    (".NET 8", "dotnet 8", "a net 8"),
    ("C#", "c#", "C and C++"),
    ("isXMLValid", "is XML valid", "a valid key"),
    ("HTTPServer", "HTTP server", "a server"),
    ("HTTPServer", "httpserver", "HTTP and a server"),
    ("XMLHttpRequest", "XML http request", "a request"),
    ("Base64Encoder", "base64 encoder", "an encoder"),
    ("OAuth2Client", "OAuth2 client", "a client"),
    ("OrderService", "order service", "service of an order"),
    ("com.acme.OrderService", "OrderService", "an order"),
    ("com.acme.OrderService", "order service", "order"),
    ("MacBook", "mac book", "a book on the mac"),
    ("Node.js", "nodejs", "a node in js"),
    ("Node.js", "NodeJS", "a node"),
    ("NodeJS", "node JS", "js of a node elsewhere"),
    ("ASP.NET", "aspnet", "a net"),
    (".NET", ".net", "a fishing net"),
    (".NET", "dotnet", "a fishing net"),
    ("C++", "c++", "vitamin C"),
    ("C++17", "C++", "vitamin C"),
    ("U.S.A.", "USA", "us and a"),
]
SIGNS = (
    "'`\u00b4\u2018\u2019\u201b\u2032\u2035\u055a\uff07\uff40\ua78c"
    "\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02ca\u02cb"
)
APOSTROPHES = [
    pair
    for sign in SIGNS
    for pair in [
        (f"O{sign}Brien", "OBrien", "Brien"),
        (f"don{sign}t", "don't", "done"),
        (f"Alzheimer{sign}s", "Alzheimer", "dementia"),
        (f"Hawai{sign}i", "Hawaii", "Hawk"),
    ]
]
HEBREW = [
    ("צה״ל", 'צה"ל', "צה"), ("צה\u201dל", "צהל", "צה"), ("רמב״ם", "רמב\u201cם", "רמב"),
    ("ז׳קט", "זקט", "קט"), ("ג׳ירפה", "ג'ירפה", "ירפה"),
]  # fmt: skip
HINDI = [
    ("हिन्दी", "हिंदी", "किताब"),
    ("ज़रूरत", "जरूरत", "किताब"),
    ("\u095bरूरत", "जरूरत", "किताब"),
    ("पढ़ना", "पढना", "किताब"),
    ("चाँद", "चांद", "किताब"),
    ("पम्प", "पंप", "किताब"),
    ("अङ्क", "अंक", "किताब"),
    ("मुम्बई", "मुंबई", "किताब"),
    ("ठण्डा", "ठंडा", "किताब"),
    ("पञ्च", "पंच", "किताब"),
    ("ग़ज़ल", "गजल", "किताब"),
]
ARABIC = [
    ("المدرسة", "مدرسة", "باب"),
    ("المدرسة", "مدرسه", "باب"),
    ("والمدرسة", "مدرسة", "باب"),
    ("للمدرسة", "المدرسة", "باب"),
    ("اللغة", "لغة", "باب"),
    ("لغة", "لغه", "باب"),
    ("السيارات", "سيارات", "باب"),
    ("والكتاب", "كتاب", "باب"),
    ("شركات", "شركة", "باب"),
    ("الشركات", "شركات", "باب"),
    ("الشركات", "شركة", "باب"),
    ("كالمدرسة", "المدرسة", "باب"),
    ("القاهرة", "القاهره", "باب"),
    ("سيارات", "سيارة", "سير"),
    ("المكتبات", "مكتبة", "باب"),
]
ROWS = [
    *[("english", *row) for row in (*NUMBERS, *NAMES, *APOSTROPHES, *HEBREW)],
    *[("french", f"l{sign}homme", "homme", "femme") for sign in "'\u2019\u02bc\u00b4`"],
    *[("hindi", *row) for row in HINDI],
    *[("english", *row) for row in HINDI],
    *[("arabic", *row) for row in ARABIC],
]
TABLE = [
    (language, *pair, distractor)
    for language, one, other, distractor in ROWS
    for pair in ((one, other), (other, one))
]
FILLERS = ["water paper stone river cloud light green table"] * 6


def records(written: str, distractor: str) -> list[Record]:
    texts = {"right": f"a long text about {written} and other things"}
    texts |= {f"wrong{n}": text for n, text in enumerate(distractor.split("|"))}
    fillers = {f"filler{n}": text for n, text in enumerate(FILLERS)}
    return [Record(id_, text) for id_, text in (texts | fillers).items()]


@pytest.mark.parametrize(("language", "written", "typed", "distractor"), TABLE)
def test_both_spellings_find_each_other_first(language, written, typed, distractor):
    index = TantivyIndex(analyzer=Analyzer(language))
    index.apply(records(written, distractor))
    hits = index.search(typed, 9)
    assert hits[0].id == "right"
    assert hits[0].score <= index.max_score(typed)
    assert index.highlight(typed, f"a long text about {written} and other things")


@pytest.mark.parametrize(("language", "written", "typed", "distractor"), TABLE[:10])
def test_rules_3_know_nothing_of_it(language, written, typed, distractor):
    index = TantivyIndex(analyzer=Analyzer(language, version=3))
    index.apply(records(written, distractor))
    assert index.analyzer.spellings(typed) == []
    assert [hit.id for hit in index.search(typed, 9)][:1] != ["right"]


def test_what_is_written_otherwise_is_not_missing():
    store = make_store()
    store.add_texts(["take 10mg a day", "an iPhone 15", "COVID-19", *FILLERS])
    retriever = ChromaHybridRetriever(vectorstore=store)
    try:
        for typed in ("10 mg", "10mg", "iPhone15", "COVID 19", "COVID19"):
            assert retriever.search(typed).unmatched == ()
        assert retriever.search("20mg iPhone16").unmatched == ("20mg", "iPhone16")
    finally:
        store.delete_collection()


@pytest.mark.parametrize("text", ["MacBook", "iPhone", "siRNA", "miRNA", "YouTube", "LaserJet"])
def test_brands_stay_whole_in_documents(text):
    assert Analyzer(None).document(text) == [text.lower()]


def test_rank_bm25_finds_what_is_written_together():
    index = RankBM25Index()
    index.apply(records("10mg", "5 mg for 10 days"))
    assert index.search("10 mg", 9)[0].id == "right"
    assert index.search("10 mg", 1)[0].score <= index.max_score("10 mg")


def test_a_pair_that_is_written_as_typed_gains_nothing_from_other_spellings():
    """Or `breast cancer` would be worth more in one order of words than BM25 says."""
    index = TantivyIndex()
    index.apply([*records("a high-fat diet", "fat"), Record("apart", "a high fat diet")])
    old = TantivyIndex(analyzer=Analyzer(version=3))
    old.apply([*records("a high-fat diet", "fat"), Record("apart", "a high fat diet")])
    for query in ("high fat", "high fat diet"):
        assert index.search(query, 9) == old.search(query, 9)


@pytest.mark.parametrize("end", ["", "'", "\u0301", "-", "_", "!", ".", "\u00b2", "++"])
@pytest.mark.parametrize(
    "unit",
    ["a", "A", "aB", "Ab", "AAb", "1", "1.2", "1,", "A1b", "x1", "\u00e4", "\u00c4", ".", "-"],
)
def test_no_word_takes_all_ways_to_cut_it(unit, end):
    # One that backtracks would not come to its end within the life of the sun.
    text = f"{unit * 200}{end} {unit * 50}{end}"
    for each in (Analyzer(), Analyzer("arabic")):
        assert isinstance(each.document(text), list)
        assert isinstance(list(each.spellings(text)), list)
        assert each.query(text) is not None
