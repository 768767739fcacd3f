from elasticsearch._async.helpers import async_bulk as async_bulk
from elasticsearch._async.helpers import async_reindex as async_reindex
from elasticsearch._async.helpers import async_scan as async_scan
from elasticsearch._async.helpers import async_streaming_bulk as async_streaming_bulk
