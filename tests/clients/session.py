"""Requests each URL in turn with a session of `requests` or a client of `httpx`, which keep cookies."""

import importlib
import sys

name, user, password, *urls = sys.argv[1:]
module = importlib.import_module(name)
client = module.Session() if name == "requests" else module.Client(follow_redirects=True)
for url in urls:
    client.get(url, auth=(user, password))
