"""What the analyzer makes of words, identifiers and scripts."""

from __future__ import annotations

import copy
import multiprocessing
import threading
import unicodedata

import pytest
import Stemmer

from langchain_chroma_hybrid.core.analysis.analyzer import MAX_TERM, Analyzer, QueryTerm
from langchain_chroma_hybrid.core.analysis.stemmer_words import STEMMER_WORDS
from langchain_chroma_hybrid.errors import InvalidArgumentError

ENGLISH = Analyzer()
PLAIN = Analyzer(None)
LINK = "doi.org/10.1038/s41586-020-2649-2"


def spaced(text: str) -> list[str]:
    return text.split(" ")


def terms(query: str, analyzer: Analyzer = ENGLISH) -> list[str]:
    return [term.text for term in analyzer.query(query)]


def found(query: str, text: str, analyzer: Analyzer = ENGLISH) -> bool:
    return bool(analyzer.matched_terms(query, text))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("CAFÉ", "cafe"),
        ("ﬁnal", "final"),
        ("ＡＢＣ１２", "abc12"),
        ("Größe", "GRÖSSE"),
        ("Straße", "STRASSE"),
        ("İSTANBUL", "istanbul"),
        ("Ærøskøbing", "aeroskobing"),
        ("ёлка", "елка"),
        ("Ἀθῆναι", "αθηναι"),
        ("كِتَاب", "كتاب"),
        ("٣٤٥", "345"),
        ("co\u00adoperate", "cooperate"),
    ],
)
def test_folding_makes_spellings_equal(left, right):
    assert PLAIN.document(left) == PLAIN.document(right) != []


@pytest.mark.parametrize(
    "text", ["Café Ångström", "한국어 텍스트", "ガギグ", "हिन्दी \u095bरा", "Việt Nam"]
)
def test_composed_and_decomposed_text_are_one(text):
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert text != decomposed
    assert ENGLISH.document(text) == ENGLISH.document(composed) == ENGLISH.document(decomposed)


def test_vowel_signs_are_spelling():
    assert PLAIN.document("की का") == ["की", "का"]
    assert PLAIN.document("мой мои") == ["мой", "мои"]


def test_stemming_by_language_and_code():
    assert ENGLISH.document("running runs") == ["run", "run"]
    assert PLAIN.document("running runs") == ["running", "runs"]
    assert Analyzer("de").document("Häuser") == Analyzer("german").document("Haus") == ["haus"]
    assert Analyzer("EN").fingerprint == ENGLISH.fingerprint
    assert Analyzer("turkish").document("IRMAK") == Analyzer("turkish").document("ırmak")


def test_words_typed_without_their_accents_are_found():
    for language, written, typed in [("fi", "päätöksen", "paatoksen"), ("pt", "ações", "acoes")]:
        assert found(typed, written, Analyzer(language))


def test_unknown_language_names_the_known_ones():
    with pytest.raises(InvalidArgumentError, match=r"language: .*english.*got 'klingon'"):
        Analyzer("klingon")


def test_apostrophes():
    assert ENGLISH.document("Alzheimer’s O'Brien") == ["alzheim", "obrien"]
    assert Analyzer("french").document("l'homme")[:2] == ["l", "homm"]


@pytest.mark.parametrize(
    ("identifier", "whole", "parts"),
    [
        ("R123-78", "r123-78", ["R123", "78"]),
        ("E-4012", "e-4012", ["4012"]),
        ("E\u20114012", "e-4012", ["E-4012", "4012"]),
        ("CVE-2024-3094", "cve-2024-3094", ["cve", "2024", "3094"]),
        ("foo_bar.baz", "foo_bar.baz", ["foo", "bar", "baz"]),
        ("10.1038/s41586-020-2649-2", "10.1038/s41586-020-2649-2", ["s41586-020-2649-2", "2649"]),
        ("v1.2.3", "v1.2.3", ["v1"]),
        ("192.168.0.1", "192.168.0.1", ["192", "168"]),
        ("user@example.com", "user@example.com", ["user", "example"]),
        ("978-3-16-148410-0", "978-3-16-148410-0", ["9783161484100", "148410"]),
        ("3.5mm", "3.5mm", ["3.5", "3.5 mm"]),
        ("C++", "c++", ["C"]),
    ],
)
def test_identifiers_are_found_by_the_whole_and_by_their_parts(identifier, whole, parts):
    text = f"See {identifier}, please."
    best = max(ENGLISH.query(identifier), key=lambda term: term.boost)
    assert best.text == whole
    assert whole in ENGLISH.document(text)
    assert all(found(part, text) for part in parts)
    assert ENGLISH.highlight(identifier, text) == [(4, 4 + len(identifier))]


def test_the_rest_weighs_a_tenth_of_the_whole_at_most():
    for identifier in [
        "R123-78",
        "CVE-2024-3094",
        "10.1038/s41586-020-2649-2",
        "a_b_c_d",
        "C#",
        LINK,
    ]:
        boosts = sorted(term.boost for term in ENGLISH.query(identifier))
        assert sum(boosts[:-1]) <= boosts[-1] / 10


def test_a_doi_is_found_inside_its_link():
    doi = "10.1038/s41586-020-2649-2"
    assert doi in ENGLISH.matched_terms(doi, f"https://{LINK}")


def test_numbers():
    assert ENGLISH.document("1,000 and 43.2") == ["1000", "and", "43.2"]
    assert not found("15", "1.5")
    assert ENGLISH.document("0095205603217") == ["0095205603217"]


def test_ordinary_compounds_are_their_words_and_the_joined_spelling():
    assert ENGLISH.document("e-mail") == ["e", "mail", "email"]
    assert found("email", "e-mail")
    assert ENGLISH.document("and/or") == ["and", "or"]
    assert ENGLISH.document("the end.Next one")[:4] == ["the", "end", "next", "one"]
    assert found("USA", "the U.S.A.")
    assert {term.boost for term in ENGLISH.query("state of-the-art")[:2]} == {1.0}


def test_camel_case():
    assert ENGLISH.document("getUserName") == ["getusernam", "get", "user", "name"]
    assert found("get_user_name", "getUserName")
    assert ENGLISH.document("iPhone mRNA pH MacBook") == ["iphon", "mrna", "ph", "macbook"]


def test_main_sequence_comes_first_and_is_the_phrase():
    text = "order R123-78 for 東京都 today"
    main = ENGLISH.phrase(text)
    assert main == ["order", "r123", "78", "for", "東京", "京都", "today"]
    document = ENGLISH.document(text)
    assert document[: len(main)] == main
    assert set(document[len(main) :]) == {"r123-78", "r12378", "東", "京", "都"}


def test_cjk_bigrams_and_single_characters():
    assert terms("東京都") == ["東京", "京都"]
    assert terms("東") == ["東"]
    assert found("東", "東京都")
    assert not found("京東", "東京都 大阪")
    assert ENGLISH.phrase("東京でiPhone15を買う") == ["東京", "京で", "iphone15", "を買", "買う"]
    assert ENGLISH.phrase("ﾃﾞｰﾀ") == ENGLISH.phrase("データ") == ["デー", "ータ"]
    assert ENGLISH.phrase("서울에") == ["서울", "울에"]
    assert ENGLISH.phrase("𠮷野家") == ["𠮷野", "野家"]


def test_unspaced_scripts_are_cut_between_characters_with_their_marks():
    assert ENGLISH.phrase("ดีมาก") == ["ดีม", "มา", "าก"]
    assert found("ภาษา", "เรียนภาษาไทย")


def test_highlight_speaks_of_the_original_text():
    text = "Die GRÖSSE der Stra\u0308ßen, 東京都庁"
    german = Analyzer("german")
    spans = german.highlight("Größe 京都", text)
    assert [text[a:b] for a, b in spans] == ["GRÖSSE", "京都"]
    for token in german.tokens(text):
        assert 0 <= token.start < token.end <= len(text)


def test_stop_words_leave_queries_but_not_documents():
    analyzer = Analyzer(stop_words=True)
    assert terms("what is the river", analyzer) == ["river"]
    assert terms("to be or not to be", analyzer) == ["not"]
    assert terms("what is the", analyzer) == ["what", "is", "the"]
    assert analyzer.document("the river") == ["the", "river"]
    own = Analyzer(stop_words={"Fluß"}, language="de")
    assert terms("der FLUSS", own) == ["der"]


@pytest.mark.parametrize("bad", ["the", 3, ["a", 1]])
def test_bad_stop_words(bad):
    with pytest.raises(InvalidArgumentError, match="stop_words"):
        Analyzer(stop_words=bad)


def test_no_stop_words_for_a_language():
    with pytest.raises(InvalidArgumentError, match=r"stop_words.*english"):
        Analyzer("tamil", stop_words=True)
    assert not Analyzer("tamil").stop_words


def test_query_terms_are_distinct_with_the_best_boost():
    assert ENGLISH.query("R123-78 r123 rivers River")[0] == QueryTerm("r123", 1.0)
    assert len(set(terms("a b a R1-2 R1-2"))) == len(terms("a b a R1-2 R1-2"))


def test_own_tokenizer_is_used_as_it_is():
    analyzer = Analyzer(preprocess_func=spaced)
    assert (
        analyzer.document("Running  R1-2")
        == analyzer.phrase("Running  R1-2")
        == ["Running", "R1-2"]
    )
    assert analyzer.query("Running") == [QueryTerm("Running", 1.0)]
    assert analyzer.highlight("R1-2 x", "see R1-2 x") == [(4, 8), (9, 10)]
    odd = Analyzer(preprocess_func=lambda text: ["new york", "", "\ud800", text], name="odd")
    assert odd.document("ok") == ["new␣york", "\ufffd", "ok"]


@pytest.mark.parametrize("result", ["text", None, [1], [b"x"]])
def test_own_tokenizer_returning_something_else(result):
    analyzer = Analyzer(preprocess_func=lambda _: result, name="bad")
    with pytest.raises(InvalidArgumentError, match="preprocess_func"):
        analyzer.document("text")


def test_own_tokenizer_needs_a_name():
    with pytest.raises(InvalidArgumentError, match="name"):
        Analyzer(preprocess_func=lambda text: [text])
    with pytest.raises(InvalidArgumentError, match="preprocess_func"):
        Analyzer(preprocess_func="spaced")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="stop_words"):
        Analyzer(preprocess_func=spaced, stop_words=True)


def test_fingerprint_tells_analyzers_apart():
    different = [
        Analyzer(),
        Analyzer(None),
        Analyzer("de"),
        Analyzer(stop_words=False),
        Analyzer(stop_words=["a", "b"]),
        Analyzer(stop_words=["a b"]),
        Analyzer(preprocess_func=spaced),
        Analyzer(preprocess_func=spaced, name="other"),
    ]
    assert len({analyzer.fingerprint for analyzer in different}) == len(different)
    assert Analyzer(stop_words=True).fingerprint == different[0].fingerprint
    assert Analyzer(stop_words=["b", "a"]).fingerprint == different[4].fingerprint


class OtherStemmer:
    """Stems one word otherwise, and only in German."""

    def __init__(self, language, size):
        self._own = _STEMMER(language, size)
        self._word = STEMMER_WORDS[language].split()[7] if language == "german" else None

    def stemWord(self, word):  # noqa: N802 - PyStemmer's name
        return f"{word}x" if word == self._word else self._own.stemWord(word)


_STEMMER = Stemmer.Stemmer


def test_the_fingerprint_holds_what_the_stemmer_does_not_its_version(monkeypatch):
    before = {language: Analyzer(language).fingerprint for language in Stemmer.algorithms()}
    assert len(set(before.values())) == len(before)
    assert not any(Stemmer.version() in fingerprint for fingerprint in before.values())
    monkeypatch.setattr(Stemmer, "version", lambda: "2.0.1")
    assert {language: Analyzer(language).fingerprint for language in before} == before
    monkeypatch.setattr(Stemmer, "Stemmer", OtherStemmer)
    now = {language: Analyzer(language).fingerprint for language in before}
    assert {language for language in now if now[language] != before[language]} == {"german"}


def test_the_words_of_the_fingerprint_set_each_algorithm_to_work():
    for language in Stemmer.algorithms():
        words = STEMMER_WORDS[language].split()
        stemmer = Stemmer.Stemmer(language, 0)
        changed = {
            (word.removeprefix(stem), stem)
            for word, stem in zip(words, map(stemmer.stemWord, words), strict=True)
            if word != stem
        }
        assert len(words) == len(set(words))
        assert len(changed) > 25, language
        # As they come to the stemmer: nothing in them is folded or cut before.
        assert [word for word in words if PLAIN.chunks(word) != [word]] == []


def test_long_tokens_are_bounded_and_still_found():
    text = "x" * 70_000
    assert [len(term) for term in ENGLISH.document(text)] == [MAX_TERM]
    assert found(text, f"before {text} after")
    assert not found(text, text + "x")
    assert max(map(len, ENGLISH.document("a1-" * 50_000 + "\u0301" * 300))) <= MAX_TERM


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800", "😀❤️", "\u0301", "___", "-", "++"])
def test_texts_without_words(text):
    assert ENGLISH.document(text) == ENGLISH.query(text) == ENGLISH.highlight("a", text) == []


def test_a_copy_and_another_process_agree():
    analyzer = Analyzer("de", stop_words=True)
    expected = analyzer.document("Die Häuser R1-2")
    assert copy.deepcopy(analyzer).document("Die Häuser R1-2") == expected
    assert copy.deepcopy(analyzer).fingerprint == analyzer.fingerprint
    for method in {"spawn", "fork"} & set(multiprocessing.get_all_start_methods()):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.apply(analyzer.document, ("Die Häuser R1-2",)) == expected


def test_threads_share_one_analyzer():
    analyzer, wrong = Analyzer(), []
    texts = [f"running{i} housing-{i} nationally organised rivers café" for i in range(300)]
    expected = [Analyzer().document(text) for text in texts]

    def work() -> None:
        if [analyzer.document(text) for text in texts] != expected:
            wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
