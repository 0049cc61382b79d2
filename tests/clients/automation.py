"""Runs the examples of the guide about Playwright, Puppeteer and Selenium."""

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
GUIDE = ROOT / "src/guide/automation.md"


def run_guide(url, home):
    examples = re.findall(r"^# (\w+)\n.*?^```js\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    assert [name for name, _ in examples] == ["Playwright", "Puppeteer", "Selenium"]
    chromium = home / "chromium"
    chromium.write_text(f'#!/bin/sh\nexec {shutil.which("chromium")} --no-sandbox "$@"\n')
    chromium.chmod(0o755)
    programs = {"CHROMIUM": str(chromium), "CHROMEDRIVER": shutil.which("chromedriver")}
    for name, code in examples:
        script = ROOT / "target/clients-npm" / f"{name.lower()}.mjs"
        script.write_text(code)
        subprocess.run(["node", script], env={**os.environ, **programs, "BASE_URL": url}, check=True, timeout=120)
        print(f"{name} logged in, out and in as another user")
