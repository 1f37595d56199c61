"""LangChain's SelfQueryRetriever over HybridChroma: a model makes words and a filter of a question.

CHAT_MODEL=openai:gpt-5-mini python examples/self_query.py

Without CHAT_MODEL a scripted model writes what a real one writes. The same over Chroma shows what
the words are worth once the filter holds: by vectors alone another number comes first.
Needs `pip install langchain-classic langchain-community lark`.
"""

from __future__ import annotations

import json
import os
from typing import Any

from langchain.chat_models import init_chat_model
from langchain_chroma import Chroma
from langchain_classic.chains.query_constructor.schema import AttributeInfo
from langchain_classic.retrievers import SelfQueryRetriever
from langchain_community.query_constructors.chroma import ChromaTranslator
from langchain_core.language_models.fake_chat_models import FakeListChatModel

from langchain_chroma_hybrid import HybridChroma, minilm

NOTES = [
    ("n1", "Deep groove ball bearing 6204-2RS, rubber seals: grease it once a year", "pumps", 2021),
    ("n2", "Deep groove ball bearing 6204-2RSH, rubber seals: never grease it", "pumps", 2023),
    ("n3", "Deep groove ball bearing 6204-2RZ, low friction: lasts 8000 hours", "pumps", 2024),
    ("n4", "Deep groove ball bearing 6204-2Z, metal shields: 9000 hours", "pumps", 2022),
    ("n5", "Deep groove ball bearing 6204-2RZ, low friction: lasts 5000 hours", "fans", 2024),
]
FIELDS = [
    AttributeInfo(name="machine", description='"pumps" or "fans"', type="string"),
    AttributeInfo(name="year", description="year of the note", type="integer"),
]
# What a model makes of each question: words to look for, and a filter over the fields.
QUESTIONS = {
    "When to change the 6204-2RZ of a pump, by notes since 2022?": {
        "query": "6204-2RZ",
        "filter": 'and(eq("machine", "pumps"), gte("year", 2022))',
    },
    "Which notes on pumps are older than 2023?": {
        "query": " ",
        "filter": 'and(eq("machine", "pumps"), lt("year", 2023))',
    },
    "What is new on fans?": {"query": "new", "filter": 'eq("machine", "fans")'},
}


def model() -> Any:
    if name := os.environ.get("CHAT_MODEL"):
        return init_chat_model(name)
    return FakeListChatModel(
        responses=[f"```json\n{json.dumps(answer)}\n```" for answer in QUESTIONS.values()]
    )


def main() -> None:
    embeddings = minilm()
    kinds = {"HybridChroma": HybridChroma, "Chroma": Chroma}
    ids, texts, machines, years = zip(*NOTES, strict=True)
    metadatas = [{"machine": m, "year": y} for m, y in zip(machines, years, strict=True)]
    retrievers = {}
    for name, kind in kinds.items():
        store = kind(f"notes-{name}", embeddings)
        store.add_texts(list(texts), metadatas, ids=list(ids))
        retrievers[name] = SelfQueryRetriever.from_llm(
            model(), store, "Service notes of a plant", FIELDS, ChromaTranslator()
        )
    for question in QUESTIONS:
        print(question)
        for name, retriever in retrievers.items():
            print(f"  {name:12} {[document.id for document in retriever.invoke(question)]}")


if __name__ == "__main__":
    main()
