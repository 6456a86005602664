#!/bin/sh
# Looks at the devices, adds an emulated one, and keeps one from work: devices.sh URL BOARD
set -eu
url=$1 board=$2
ask() {
  curl -sS --fail-with-body ${MICROTUNE_TOKEN:+-H "authorization: Bearer $MICROTUNE_TOKEN"} "$@"
}

ask "$url/v1/devices"
echo
ask -H 'content-type: application/json' -d "{\"board\":\"$board\",\"emulate\":1}" "$url/v1/devices"
echo
# Names hold # and /, so they are percent-encoded in a path.
name="$board%230"
ask -H 'content-type: application/json' -d '{"reason":"looked odd"}' "$url/v1/devices/$name/quarantine"
echo
ask "$url/v1/devices/$name/history?limit=5"
echo
ask -X POST "$url/v1/devices/$name/release"
echo
