"""Clauses of a contract by their number and by what they mean, with the clauses around them."""

from __future__ import annotations

from langchain_chroma_hybrid import HybridChroma, minilm
from langchain_chroma_hybrid.core.context import Neighbours

CLAUSES = {
    "11.1": "The supplier keeps the customer's data secret, also after the contract has ended.",
    "11.2": "This does not hold for what a court or an authority has ordered.",
    "12.1": "Either party may terminate at the end of a quarter with three months' notice.",
    "12.2": "Notice has to be given in writing; an e-mail is enough.",
    "12.3": "After termination the supplier hands over all data within thirty days.",
    "12.4": "Fees that were paid in advance are returned for the time that is left.",
    "13.1": "The supplier is liable without limit for intent and gross negligence.",
    "13.2": "In all other cases liability ends at the fees of twelve months.",
    "13.3": "The limit of clause 13.2 does not hold for injury to life, body or health.",
    "13.4": "Nobody is liable for strikes, floods and other events beyond his control.",
}
QUESTIONS = [
    "What does clause 12.4 say?",
    "clause 13.2",
    "Can I get my money back when I leave early?",
    "How much does the supplier pay at most if something breaks?",
]


def main() -> None:
    store = HybridChroma("contract", minilm())
    store.add_texts(
        [f"Clause {number}. {text}" for number, text in CLAUSES.items()],
        [
            {"source": "supply.pdf", "section": number.split(".")[0], "position": place}
            for place, number in enumerate(CLAUSES)
        ],
        list(CLAUSES),
    )
    for question in QUESTIONS:
        print(question)
        for mode in ("vector", "hybrid"):
            found = store.similarity_search(question, k=3, mode=mode)
            print(f"  {mode:7}", "  ".join(str(document.id) for document in found))

    # A clause is read with what stands around it, and cited by its number.
    around = Neighbours(1, position_key="position")
    result = store.explain("clause 13.2", k=1, filter={"section": "13"}, expand=around)
    print(result.as_citations())


if __name__ == "__main__":
    main()
