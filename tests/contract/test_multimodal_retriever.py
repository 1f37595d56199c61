"""LangChain's own suite for retrievers, over a collection of pictures."""

import pytest
from langchain_tests.integration_tests import RetrieversIntegrationTests

pytest.importorskip("PIL", reason="pictures need the extra `image`")

from langchain_chroma_hybrid.multimodal import (
    ImageCollection,
    MultimodalRetriever,
    TextImageRetriever,
)
from tests.helpers import fresh_name
from tests.unit import colours


def pictures():
    """A collection in memory with a picture of each colour."""
    collection = ImageCollection.open(fresh_name(), colours.embeddings())
    names = list(colours.COLOURS)
    collection.add([colours.picture(name) for name in names], captions=names, ids=names)
    return collection


class TestMultimodalRetriever(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self):
        return MultimodalRetriever

    @property
    def retriever_constructor_params(self):
        return {"vectorstore": pictures().store}

    @property
    def retriever_query_example(self):
        return "red and green"


class TestTextImageRetriever(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self):
        return TextImageRetriever

    @property
    def retriever_constructor_params(self):
        return {"texts": pictures().as_retriever(), "images": pictures().as_retriever()}

    @property
    def retriever_query_example(self):
        return "red and green"
