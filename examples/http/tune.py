"""Uploads a model, tunes it and fetches the C library: tune.py URL MODEL BOARD OUT.tar.gz [TRIALS]"""

import pathlib
import sys
import uuid

from microtune_http import ask, events, get_json, post_json

url, file, board, out = sys.argv[1:5]
trials = int(sys.argv[5]) if len(sys.argv) > 5 else 200

path = pathlib.Path(file)
model = post_json(f"{url}/v1/models?name={path.name}", path.read_bytes())
# The same key makes the same job, should this have to be sent again.
job = post_json(
    f"{url}/v1/jobs",
    {"model": model["id"], "board": board, "trials": trials},
    {"idempotency-key": str(uuid.uuid4())},
)
print("job", job["id"])
for kind, data in events(f"{url}/v1/jobs/{job['id']}/events"):
    if kind == "progress":
        print(data["trials"]["done"], "of", data["trials"]["budget"], "trials")

job = get_json(f"{url}/v1/jobs/{job['id']}")
print(job["state"])
if job["state"] != "done":
    sys.exit(f"{job['error']['code']}: {job['error']['detail']}" if job["error"] else job["state"])
with ask(f"{url}/v1/jobs/{job['id']}/artifact") as artifact:
    pathlib.Path(out).write_bytes(artifact.read())
print("wrote", out)
