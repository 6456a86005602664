"""Watches a job until it has ended: events.py URL JOB"""

import sys

from microtune_http import events

url, job = sys.argv[1:3]
for kind, data in events(f"{url}/v1/jobs/{job}/events"):
    if kind == "state":
        print(data["at"], data["state"])
    elif kind == "log":
        print(data["at"], data["message"])
    elif kind == "progress":
        print(data["at"], data["trials"]["done"], "trials")
