"""A shop's search box: part numbers to the letter, names by meaning, what is not there said so."""

from __future__ import annotations

from langchain_chroma_hybrid import HybridChroma, minilm

BEARINGS = {
    "6204-2RS": "20 x 47 x 14 mm, rubber seals on both sides, for electric motors",
    "6204-2Z": "20 x 47 x 14 mm, metal shields on both sides, for electric motors",
    "6204-2RZ": "20 x 47 x 14 mm, low friction seals, for electric motors",
    "6204-2RSH": "20 x 47 x 14 mm, rubber seals, for pumps",
    "6205-2RS": "25 x 52 x 15 mm, rubber seals, for electric motors",
}
BOLTS = {
    f"HX-{size}-{steel}": f"{kind} steel, {size / 10:.0f} mm, pack of 50"
    for size in (80, 81, 100, 101)
    for steel, kind in {"A4": "stainless", "GV": "galvanised"}.items()
}
PRODUCTS = {
    **{sku: f"Deep groove ball bearing {sku}, {text}" for sku, text in BEARINGS.items()},
    **{sku: f"Hexagon bolt, {text}, order number {sku}" for sku, text in BOLTS.items()},
    "WD-400": "Penetrating oil that frees rusty screws, spray can, order number WD-400",
}
QUERIES = {
    "6204-2RZ": "its neighbours differ by a letter",
    "HX81A4": "typed without hyphens",
    "HX-81": "the beginning of two numbers",
    "seal kit for 6204-2Z": "a number among words",
    "something against stuck screws": "no number at all",
    "6206-2RS": "not in the shop",
}


def main() -> None:
    store = HybridChroma("parts", minilm())
    store.add_texts(list(PRODUCTS.values()), ids=list(PRODUCTS))
    for query, why in QUERIES.items():
        print(f"{query}: {why}")
        for mode in ("vector", "hybrid"):
            result = store.explain(query, k=3, mode=mode)
            print(f"  {mode:6}", "  ".join(f"{hit.id} {hit.relevance:.2f}" for hit in result.hits))
        for typed in (word for word in result.unmatched if any(map(str.isdigit, word))):
            print(f"  {typed} occurs nowhere: better said than {result.hits[0].id} sold")


if __name__ == "__main__":
    main()
