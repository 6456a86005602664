#!/bin/sh
# Watches a job until it has ended: events.sh URL JOB. Comes back behind the last event when the connection breaks.
set -eu
url=$1 job=$2
last=0
seen=$(mktemp)
trap 'rm -f "$seen"' EXIT
while :; do
  # 204: the job has ended, and nothing is left to tell.
  status=$(curl -sS -N -o "$seen" -w '%{http_code}' -H "last-event-id: $last" \
    ${MICROTUNE_TOKEN:+-H "authorization: Bearer $MICROTUNE_TOKEN"} "$url/v1/jobs/$job/events") || status=lost
  grep '^event: \|^data: ' "$seen" || true
  last=$(sed -n 's/^id: //p' "$seen" | tail -n 1 | grep . || echo "$last")
  case $status in
    200 | lost | 503) sleep 1 ;;
    204) exit 0 ;;
    *) exit 1 ;;
  esac
done
