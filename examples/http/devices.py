"""Looks at the devices, adds an emulated one, and keeps one from work: devices.py URL BOARD"""

import sys
import urllib.parse

from microtune_http import get_json, pages, post_json

url, board = sys.argv[1:3]


def show(device):
    print(device["name"], device["state"], device["quarantine"] or "")


for device in get_json(f"{url}/v1/devices")["items"]:
    if device["board"] == board:
        show(device)
for device in post_json(f"{url}/v1/devices", {"board": board, "emulate": 1})["items"]:
    print("new:", device["name"])

# Names hold # and /, so they are percent-encoded in a path.
one = f"{url}/v1/devices/{urllib.parse.quote(f'{board}#0', safe='')}"
show(post_json(f"{one}/quarantine", {"reason": "looked odd"}))
for event in pages(f"{one}/history", limit=5):
    print(event["at"], event["event"], event["detail"])
show(post_json(f"{one}/release"))
