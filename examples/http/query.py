"""Asks the log: query.py URL. SQL over the views of /v1/schema, then records page by page."""

import sys

from microtune_http import Refused, pages, post_json

url = sys.argv[1]

answer = post_json(
    f"{url}/v1/query",
    {"sql": "SELECT board, status, count(*) FROM trials WHERE kind = ? GROUP BY 1, 2", "params": ["instructions"]},
)
print([column["name"] for column in answer["columns"]])
for row in answer["rows"]:
    print(row)

# What a query may not do is refused with a code.
try:
    post_json(f"{url}/v1/query", {"sql": "DELETE FROM trials"})
except Refused as refused:
    print("refused:", refused.code)

count = sum(1 for _ in pages(f"{url}/v1/records", status="ok", limit=100))
print(count, "records")
