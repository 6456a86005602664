#!/bin/sh
# Uploads a model, tunes it and fetches the C library: tune.sh URL MODEL BOARD OUT.tar.gz [TRIALS]
set -eu
url=$1 model=$2 board=$3 out=$4 trials=${5:-200}

# curl with the token, if there is one. -f: an answer that is an error ends the script.
ask() {
  curl -sS --fail-with-body ${MICROTUNE_TOKEN:+-H "authorization: Bearer $MICROTUNE_TOKEN"} "$@"
}
# The text behind a name in a JSON answer on standard input: enough for ids and states.
field() {
  sed -n "s/^[^\"]*{\"$1\":\"\([^\"]*\)\".*/\1/p; t; s/.*[,{]\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1
}

id=$(ask -H 'content-type: application/octet-stream' --data-binary "@$model" "$url/v1/models?name=$(basename "$model")" | field id)
# The same key makes the same job, should this have to be sent again.
job=$(ask -H 'content-type: application/json' -H "idempotency-key: $id-$board-$$" \
  -d "{\"model\":\"$id\",\"board\":\"$board\",\"trials\":$trials}" "$url/v1/jobs" | field id)
echo "job $job"
# The stream ends with the job.
ask -N "$url/v1/jobs/$job/events" >/dev/null
state=$(ask "$url/v1/jobs/$job" | field state)
echo "$state"
[ "$state" = done ]
ask -o "$out" "$url/v1/jobs/$job/artifact"
echo "wrote $out"
