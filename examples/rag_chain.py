"""Retrieval-augmented answers with LCEL, and any chat model that `init_chat_model` knows.

CHAT_MODEL=openai:gpt-5-mini python examples/rag_chain.py "Who may use the sauna?"

Without CHAT_MODEL the answer is extractive: the sentence of the best source that has most words of
the question, and it is labelled so. What is not relevant is no source: nothing is made up of it.
"""

from __future__ import annotations

import os
import sys

from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel, RunnablePassthrough

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, minilm

store = HybridChroma("rules", minilm())
store.add_documents(
    [
        Document("Sauna: guests over 16 years. Bring a towel.", metadata={"house": "lake"}),
        Document("Sauna: closed for repair until May.", metadata={"house": "hill"}),
        Document("Breakfast is from 7 to 10. The door code is 4711-B.", metadata={"house": "lake"}),
        Document("Dogs stay outside. The door code is 4711-C.", metadata={"house": "hill"}),
    ]
)
HOUSES = ("lake", "hill")
QUESTIONS = ["Who may use the sauna?", "Where do I need 4711-C?", "When can I eat in the morning?"]


def sources(house: str) -> Runnable:
    """What is relevant, numbered for the model; no record of the other house is seen."""
    retriever = ChromaHybridRetriever.from_vectorstore(
        store, k=2, base_filter={"house": house}, score_threshold=0.2
    )
    return RunnableLambda(lambda question: retriever.search(question).as_citations())


def extract(inputs: dict) -> str:
    """The quote of the best source; not a model, and it says so."""
    best = next(iter(inputs["sources"]), None)
    quote = f"{best.quote} [1]" if best else "The house says nothing of that."
    return f"[extractive, no chat model configured] {quote}"


def answerer() -> Runnable:
    if not os.environ.get("CHAT_MODEL"):
        return RunnableLambda(extract)
    from langchain.chat_models import init_chat_model  # noqa: PLC0415  # needs `pip install langchain`

    prompt = ChatPromptTemplate.from_template(
        "Answer from these sources only and cite them as [1], or say that it is not there.\n"
        "{sources}\n\n{question}"
    )
    return prompt | init_chat_model(os.environ["CHAT_MODEL"]) | StrOutputParser()


def main(questions: list[str]) -> None:
    for question in questions:
        print(question)
        for house in HOUSES:
            given = RunnableParallel(sources=sources(house), question=RunnablePassthrough())
            print(f"  {house}: {(given | answerer()).invoke(question)}")


if __name__ == "__main__":
    main(sys.argv[1:] or QUESTIONS)
