"""The README.md of a model: what it was made from, how, and how good it was on the dev queries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_CARD = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- feature-extraction
---

# {base}, fine-tuned

Made by `langchain_chroma_hybrid.finetune`. For `SentenceTransformer(...)` and
`SentenceTransformerEmbeddings(...)`. The licences of the base and of the data hold.

| | |
|---|---|
| base | {base} |
| fingerprint | {fingerprint} |
| loss | {loss} |
| data | {data} |
| digest of the data | {data_digest} |
| {measure} on dev | {metrics} |

```json
{settings}
```
"""


def model_card(notes: Mapping[str, Any]) -> str:
    """The card in Markdown; of a base in a folder the last part of its path alone."""
    metrics = notes["metrics"]
    told = f"{metrics['before']} before, {metrics['after']} after" if metrics else "not measured"
    values = {
        **notes,
        "base": Path(notes["base"]).name,
        "measure": notes["measure"] or "measure",
        "metrics": told,
        "settings": json.dumps(notes["settings"], indent=1),
    }
    return _CARD.format(**values)
