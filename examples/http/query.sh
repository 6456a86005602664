#!/bin/sh
# Asks the log: query.sh URL. SQL over the views of /v1/schema, then records as CSV, page by page.
set -eu
url=$1
ask() {
  curl -sS --fail-with-body ${MICROTUNE_TOKEN:+-H "authorization: Bearer $MICROTUNE_TOKEN"} "$@"
}

ask -H 'content-type: application/json' -d '{"sql":"SELECT board, status, count(*) FROM trials GROUP BY 1, 2"}' "$url/v1/query"
echo

# With CSV the cursor of the next page is in a header.
head=$(mktemp)
trap 'rm -f "$head"' EXIT
cursor=
while :; do
  ask -D "$head" -G -d format=csv -d limit=100 -d status=ok ${cursor:+--data-urlencode "cursor=$cursor"} "$url/v1/records"
  cursor=$(tr -d '\r' <"$head" | sed -n 's/^x-next-cursor: //ip')
  [ -n "$cursor" ] || break
done
