"""The index in OpenSearch or Elasticsearch: documents, filters, queries, journals, one alias."""
