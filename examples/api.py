"""A search service: one client for all, a tenant with each request, results as they come.

uvicorn --app-dir examples api:app     (as a script it asks itself, without a network)
curl -H "X-Tenant: acme" "localhost:8000/search?q=roof"
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import chromadb
import httpx
from fastapi import Depends, FastAPI, Header, Query
from fastapi.responses import StreamingResponse

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, minilm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

client = chromadb.EphemeralClient()  # or HttpClient(...): one for the process, for all requests
store = HybridChroma("files", minilm(), client=client)
for name, texts in {"acme": ["Offer A-17: a roof"], "bolt": ["Secret plan to buy acme"]}.items():
    store.add_texts(texts, [{"tenant": name}])
app = FastAPI(title="search")


def retriever_of(x_tenant: Annotated[str, Header(min_length=1)]) -> ChromaHybridRetriever:
    """What a tenant may see; the header has to come from a gateway that knows who asks."""
    # Making one opens nothing; no parameter of a request can widen its base filter.
    return ChromaHybridRetriever.from_vectorstore(store, base_filter={"tenant": x_tenant})


Mine = Annotated[ChromaHybridRetriever, Depends(retriever_of)]
Number = Annotated[int, Query(ge=1, le=50)]


async def found(retriever: ChromaHybridRetriever, q: str, k: int) -> list[dict[str, Any]]:
    result = await retriever.asearch(q, k=k)
    return [{"id": h.id, "text": h.passage, "relevance": h.relevance} for h in result.hits]


@app.get("/search")
async def search(retriever: Mine, q: str, k: Number = 4) -> list[dict[str, Any]]:
    return await found(retriever, q, k)


@app.get("/stream")
async def stream(retriever: Mine, q: Annotated[list[str], Query()], k: Number = 4) -> Any:
    """A line of JSON for each of several questions, as soon as it is answered."""

    async def lines() -> AsyncIterator[str]:
        for one in q:
            yield json.dumps({"q": one, "found": await found(retriever, one, k)}) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def main() -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://search") as web:
        asked = {"q": "secret plan"}
        who = ["acme", "bolt"] * 25
        got = await asyncio.gather(
            *[web.get("/search", params=asked, headers={"X-Tenant": name}) for name in who]
        )
        seen = {(name, hit["text"]) for name, a in zip(who, got, strict=True) for hit in a.json()}
        print("50 requests at once:", *sorted(seen), sep="\n  ")
        bad = await web.get("/search", params={**asked, "k": 0}, headers={"X-Tenant": "acme"})
        print("k=0:", bad.status_code, bad.json()["detail"][0]["msg"])
        print("no tenant:", (await web.get("/search", params=asked)).status_code)


if __name__ == "__main__":
    asyncio.run(main())
