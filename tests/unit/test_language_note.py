"""A collection in another language than the analyzer's is told of, once."""

from __future__ import annotations

import pytest

from langchain_chroma_hybrid import HybridChroma
from tests.helpers import WordEmbeddings, fresh_name

TEXTS = {
    "german": "Das Haus steht am Rand der Stadt, und die Häuser sind alt, weil sie nicht neu sind.",
    "french": "La maison est au bord de la ville et les maisons sont vieilles dans cette rue.",
    "spanish": "La casa está en el borde de la ciudad y las casas son viejas como las calles.",
    "portuguese": "A casa não fica na cidade, e as casas são velhas como as ruas do bairro.",
    "italian": "La casa è nella città e le case sono vecchie come le strade della periferia.",
    "dutch": "Het huis staat aan de rand van de stad en de huizen zijn oud, maar niet mooi.",
    "russian": "Дом стоит на краю города, и он был старым, но это не так важно для меня.",
    "turkish": "Bu ev şehrin bir ucunda ve çok eski, ama o daha güzel gibi bir evdir.",
    "swedish": "Det är ett hus som ligger i staden och det var inte så dyrt att köpa.",
    "english": "The house is at the edge of the town and the houses are old but not ugly.",
    "arabic": "البيت في طرف المدينة والبيوت قديمة جدا",
    "greek": "Το σπίτι είναι στην άκρη της πόλης και τα σπίτια είναι παλιά",
    "hindi": "घर शहर के किनारे पर है और घर पुराने हैं",
}


def notes(texts, analyzer="english", searches=1):
    store = HybridChroma(fresh_name(), WordEmbeddings(), analyzer=analyzer)
    store.add_texts(texts)
    try:
        answers = [store.explain(texts[0]) for _ in range(searches)]
        return [note for answer in answers for note in answer.notes if "analyzer=" in note]
    finally:
        store.delete_collection()


LANGUAGES = [*TEXTS]
# Each language under its own analyzer, English and the one before it; all pairs take half a minute.
PAIRS = {
    pair
    for n, language in enumerate(LANGUAGES)
    for pair in [(language,) * 2, (language, "english"), (language, LANGUAGES[n - 1])]
}


@pytest.mark.parametrize(("language", "analyzer"), sorted(PAIRS))
def test_every_language_under_every_analyzer(language, analyzer, caplog):
    texts = [f"{TEXTS[language]} {n}" for n in range(5)]
    said = notes(texts, analyzer, searches=3)
    if language == analyzer:
        assert said == []
    else:
        (note,) = said
        assert f"analyzer={language!r}" in note
        assert [r for r in caplog.records if "analyzer=" in r.getMessage()] != []


@pytest.mark.parametrize(
    "texts",
    [
        ["HP LaserJet 1020", "Kensington USB hub 4 ports", "Sony Alpha 7 III"] * 3,
        [TEXTS["english"]] * 4 + [TEXTS["german"]] * 3,
        [TEXTS["german"]] * 2,
        ["12 34 56"] * 5,
        ["東京タワーは高さ333メートルです。"] * 5,
    ],
    ids=["names", "mixed", "few", "numbers", "japanese"],
)
def test_what_cannot_be_told_is_not_said(texts):
    assert notes([f"{text} {n}" for n, text in enumerate(texts)]) == []


def test_without_a_stemmer_there_is_nothing_to_say():
    assert notes([TEXTS["german"]] * 5, analyzer=None) == []
