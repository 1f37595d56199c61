"""`two_step`: only notes that name the drug, in order of what was asked about it.

For texts in which a word must not be replaced by one that is near in meaning. A search, no advice.
"""

from __future__ import annotations

from langchain_chroma_hybrid import HybridChroma, minilm

NOTES = {
    "w1": ("warfarin", "Warfarin: check the INR weekly until it is stable, then monthly."),
    "w2": ("warfarin", "Warfarin was stopped five days before the operation of the hip."),
    "w3": ("warfarin", "Nose bleeding for two hours; INR 6.1 on warfarin, vitamin K was given."),
    "w4": ("warfarin", "Leaflet on warfarin handed out, appointment in May."),
    "a1": ("apixaban", "Apixaban: blood in the urine after the dose was doubled by mistake."),
    "a2": ("apixaban", "Bleeding of the gums under apixaban, the dose was halved."),
    "h1": ("heparin", "Heparin: bruises and bleeding at the site of injection."),
    "p1": ("paracetamol", "Paracetamol 1 g three times a day after the operation."),
    "n1": ("", "Nose bleeding after a fall, no drugs, packed for a day."),
}
QUESTIONS = ["bleeding under warfarin", "warfarin: what to tell before an operation"]
MODES = ("vector", "lexical", "hybrid", "two_step")


def main() -> None:
    store = HybridChroma("notes", minilm())
    store.add_texts(
        [text for _, text in NOTES.values()],
        [{"drug": drug} for drug, _ in NOTES.values()],
        list(NOTES),
    )
    for question in QUESTIONS:
        print(question)
        for mode in MODES:
            # `+` makes a word a must: of the candidates, and so of every result.
            text = question.replace("warfarin", "+warfarin") if mode == "two_step" else question
            result = store.explain(text, k=3, mode=mode, query_syntax="simple")
            print(f"  {mode:8}", "  ".join(hit.id for hit in result.hits))


if __name__ == "__main__":
    main()
