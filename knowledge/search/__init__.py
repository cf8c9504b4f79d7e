"""Search over entries: one API, one algorithm, an index per database, the same answers on both."""

from knowledge.search.engine import entry_search
from knowledge.search.index import (
    FACTS,
    IndexCheck,
    index_add,
    index_check,
    index_forget,
    index_update,
)
from knowledge.search.orders import SearchOrder
from knowledge.search.parity import search_parity
from knowledge.search.rebuild import index_rebuild, index_rebuild_resume
from knowledge.search.storing import index_resync
from knowledge.search.types import FacetCount, Facets, SearchFilters, SearchHit, SearchResults

__all__ = [
    "FACTS",
    "FacetCount",
    "Facets",
    "IndexCheck",
    "SearchFilters",
    "SearchHit",
    "SearchOrder",
    "SearchResults",
    "entry_search",
    "index_add",
    "index_check",
    "index_forget",
    "index_rebuild",
    "index_rebuild_resume",
    "index_resync",
    "index_update",
    "search_parity",
]
