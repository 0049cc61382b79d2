"""Programs: clients that send the password because their configuration says so."""

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

HERE = Path(__file__).parent
HEAD = [
    "program", "version", "sends the password", "right password", "wrong password", "session cookie",
    "logout", "next request",
]  # fmt: skip
USER, PASSWORD = "alice", "wonderland"
CHECK_HTTP = "/usr/lib/nagios/plugins/check_http"
SESSION = "/usr/bin/python3 {{here}}/session.py {it} {{user}} {{password}} {{urls}}"


def shell(command, home):
    """Runs a command. Its exit status does not matter: many programs report a refusal by it."""
    environment = {**os.environ, "HOME": str(home), "NO_PROXY": "*"}
    subprocess.run(
        ["bash", "-c", command], cwd=home, env=environment, stdin=subprocess.DEVNULL, timeout=60,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def each(command):
    """One process for each URL."""

    def run(urls, password, home, _):
        for url in urls:
            shell(command.format(**names(url, password)), home)

    return run


def together(command):
    """One process for all URLs."""

    def run(urls, password, home, _):
        shell(command.format(urls=" ".join(urls), **names(urls[0], password)), home)

    return run


def names(url, password):
    with_credentials = url.replace("//", f"//{USER}:{password}@")
    host, port = url.split("/")[2].split(":")
    path = "/" + url.split("/", 3)[3]
    values = dict(url=url, user=USER, password=password, host=host, port=port, path=path)
    return {**values, "url_with_credentials": with_credentials, "here": HERE}


@dataclass
class Program:
    name: str
    version: str
    """A command that prints the version."""
    run: Callable
    """Requests URLs in turn, with a password, in a home directory."""
    logs_out: bool = True
    """Whether it can request the path of the logout."""
    follows_links: bool = False
    """Whether it finds the logout by itself."""

    def row(self, recorder, home):
        page, logout = f"{recorder.url}/admin/", f"{recorder.url}/admin/logout"
        urls = [page, logout, page] if self.logs_out and not self.follows_links else [page]
        right = self.request(recorder, home / f"{self.name} right", urls, PASSWORD)
        wrong = self.request(recorder, home / f"{self.name} wrong", [page], "wrong")
        assert right and wrong, f"{self.name} sent no request"
        outs = [it for it in right if it.path == "/admin/logout"]
        before = right[: right.index(outs[0])] if outs else right
        after = right[right.index(outs[-1]) + 1 :] if outs else []
        return [
            self.name,
            version(self.version),
            "unasked" if right[0].user else "after a challenge",
            status(before),
            status(wrong),
            "yes" if any(it.sets_cookie for it in right + wrong) else "no",
            f"{status(outs)} {outs[-1].headline}" if outs else "–",
            status(after) if after else "–",
        ]

    def request(self, recorder, home, urls, password):
        home.mkdir()
        recorder.log.clear()
        self.run(urls, password, home, recorder.log)
        return list(recorder.log)


def status(exchanges):
    return str(exchanges[-1].status) if exchanges else "no request"


def version(command):
    output = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    found = re.search(r"\d+(\.\d+)+", output.stdout + output.stderr)
    assert found, f"no version: {command}"
    return found.group()


def prometheus(urls, password, home, log):
    """Scrapes the first URL until it has done so twice."""
    configuration = f"""
scrape_configs:
- job_name: demo
  scrape_interval: 100ms
  scrape_timeout: 100ms
  metrics_path: /admin/
  basic_auth: {{username: {USER}, password: {password}}}
  static_configs: [{{targets: ['{urls[0].split("/")[2]}']}}]
"""
    (home / "prometheus.yml").write_text(configuration)
    arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"]
    process = subprocess.Popen(["prometheus", *arguments], cwd=home, stderr=(home / "log").open("w"))
    try:
        deadline = time.monotonic() + 60
        while len(log) < 2:
            assert time.monotonic() < deadline, (home / "log").read_text()
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()


CURL = "curl -s -u {user}:{password}"
WGET = "wget -q -O /dev/null --user {user} --password {password}"
ALL = [
    Program("curl", "curl --version", each(CURL + " {url}")),
    Program("curl with a cookie jar", "curl --version", each(CURL + " -c jar -b jar {url}")),
    Program("curl --anyauth", "curl --version", each(CURL + " --anyauth -c jar -b jar {url}")),
    Program("wget", "wget --version", together(WGET + " {urls}")),
    Program("wget -U Mozilla", "wget --version", together(WGET + " -U 'Mozilla/5.0 (X11; Linux)' {urls}")),
    # It follows the links of the demo, also the one to the logout.
    Program(
        "wget -r", "wget --version",
        each("wget -q -r -l 1 --user {user} --password {password} {url}"), follows_links=True,
    ),  # fmt: skip
    Program(
        "siege", "siege --version",
        each("echo login = {user}:{password} >siege.conf; siege -R siege.conf -c 1 -r 1 --no-parser {url}"),
    ),  # fmt: skip
    Program("yt-dlp", "yt-dlp --version", each("yt-dlp --ignore-config --simulate {url_with_credentials}")),
    Program("requests", "/usr/bin/python3 -c 'import requests as it; print(it.__version__)'", together(SESSION.format(it="requests"))),
    Program("httpx", "/usr/bin/python3 -c 'import httpx as it; print(it.__version__)'", together(SESSION.format(it="httpx"))),
    Program("fetch of Node.js", "node --version", together("node {here}/fetch.mjs {user} {password} {urls}")),
    Program("java.net.http", "java -version", together("java {here}/Client.java http {user} {password} {urls}")),
    Program(
        "HttpURLConnection", "java -version",
        together("java {here}/Client.java connection {user} {password} {urls}"),
    ),  # fmt: skip
    Program(
        "git", "git --version",
        each("git -c credential.helper= ls-remote {url_with_credentials}repository.git"), logs_out=False,
    ),  # fmt: skip
    Program("Prometheus", "prometheus --version", prometheus, logs_out=False),
    Program(
        "check_http", f"{CHECK_HTTP} --version",
        each(f"{CHECK_HTTP} -I {{host}} -p {{port}} -u {{path}} -a {{user}}:{{password}}"),
    ),  # fmt: skip
]
