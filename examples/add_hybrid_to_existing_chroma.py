"""You have a Chroma collection: make it hybrid in one call, without touching its data."""

from __future__ import annotations

import tempfile

from langchain_chroma import Chroma

from langchain_chroma_hybrid import ChromaHybridRetriever, minilm

folder = tempfile.mkdtemp()
embeddings = minilm()

# What you have today.
chroma = Chroma("tickets", embeddings, persist_directory=folder)
chroma.add_texts(
    [
        "Printer LX-300 shows 0x80070005 after the update to 4.2.1",
        "The screen stays black when the laptop wakes up",
        "Access is denied while installing the driver",
        "LX-310: paper jam in tray 2",
    ],
    metadatas=[{"product": p} for p in ("printer", "laptop", "printer", "printer")],
    ids=["T-1", "T-2", "T-3", "T-4"],
)

# One call. The lexical index is built at the first query and kept beside the data.
retriever = ChromaHybridRetriever.from_vectorstore(chroma, k=2)
for query in ("0x80070005", "permission problem during setup"):
    print(query)
    for hit in retriever.search(query, filter={"product": "printer"}).hits:
        print(f"  {hit.relevance:.2f}  {hit.id}  {hit.record.text}")

# Whatever you go on adding through your own store is found at the next query.
chroma.add_texts(["LX-300 prints 0x80070005 on paper"], [{"product": "printer"}], ids=["T-5"])
print([document.id for document in retriever.invoke("0x80070005")])
