"""Browsers that are not tested elsewhere. People sit in front of them: they log in, log out and log in again."""

import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pexpect
import pyte
from Xlib import XK, X
from Xlib.display import Display
from Xlib.error import XError
from Xlib.ext import xtest

from programs import HERE, version

HEAD = [
    "browser", "version", "cookie of a challenge", "login", "next page", "logout", "page after logout",
    "login as another user",
]  # fmt: skip
ALICE, BOB = ("alice", "wonderland"), ("bob", "builder")
SIZE = (40, 120)


class Screen(pyte.Screen):
    def set_margins(self, *margins, private=False):
        """The private sequence restores modes of the terminal."""
        if not private:
            super().set_margins(*margins)


class Terminal:
    """A browser in a terminal."""

    def __init__(self, command, home):
        environment = {**os.environ, "HOME": str(home), "TERM": "xterm", "LANG": "C.UTF-8"}
        self.process = pexpect.spawn(command, dimensions=SIZE, env=environment, encoding="utf-8", cwd=home)
        self.screen = Screen(SIZE[1], SIZE[0])
        self.stream = pyte.Stream(self.screen)

    def type(self, text):
        self.process.send(text)

    def text(self):
        try:
            while True:
                self.stream.feed(self.process.read_nonblocking(100_000, 0.05))
        except pexpect.TIMEOUT:
            return "\n".join(self.screen.display)

    def close(self):
        self.process.close(force=True)


class Window:
    """A browser on a virtual screen, without a window manager. Its text is the titles of its windows."""

    KEYS = {"\t": XK.XK_Tab, "\r": XK.XK_Return, "\x0c": XK.XK_l}

    def __init__(self, command, home):
        reader, writer = os.pipe()
        # Dillo needs more colours than the default. Without `-noreset`, Xvfb may end before Dillo connects.
        screen = ["-noreset", "-screen", "0", "1024x768x24"]
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), *screen], pass_fds=[writer], stderr=subprocess.DEVNULL
        )
        os.close(writer)
        with open(reader) as number:
            name = f":{number.readline().strip()}"
        self.display = Display(name)
        self.environment = {**os.environ, "HOME": str(home), "DISPLAY": name}
        output = (home / "output").open("w")
        self.process = subprocess.Popen(
            shlex.split(command), env=self.environment, stdout=output, stderr=output
        )

    def windows(self):
        """The visible windows and their titles, the topmost last."""
        found = []
        for window in self.display.screen().root.query_tree().children:
            try:
                if window.get_attributes().map_state == X.IsViewable and window.get_wm_name():
                    found.append((window.get_wm_name(), window))
            except XError:
                pass  # The browser has closed it.
        return found

    def text(self):
        time.sleep(0.05)
        return "\n".join(title for title, _ in self.windows())

    def type(self, text):
        """Presses keys. A form feed stands for Ctrl+L."""
        self.windows()[-1][1].set_input_focus(X.RevertToParent, X.CurrentTime)
        for letter in text:
            key = self.KEYS.get(letter, ord(letter))
            code = self.display.keysym_to_keycode(key)
            needs_shift = self.display.keycode_to_keysym(code, 0) != key
            held = [XK.XK_Shift_L] * needs_shift + [XK.XK_Control_L] * (letter == "\x0c")
            codes = [*map(self.display.keysym_to_keycode, held), code]
            for it in codes:
                xtest.fake_input(self.display, X.KeyPress, it)
            for it in reversed(codes):
                xtest.fake_input(self.display, X.KeyRelease, it)
            self.display.sync()

    def close(self):
        # Dillo starts a daemon, which would stay.
        home = f"HOME={self.environment['HOME']}\0".encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if home in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:
                pass  # It has ended.
        self.process.wait()
        self.server.kill()
        self.server.wait()


@dataclass
class Browser:
    name: str
    version: str
    """A command that prints the version."""
    command: str
    """Starts the browser. The URL of the first page follows."""
    prompts: list
    """The texts on the screen while the browser asks for a user name, and then for a password."""
    open: Callable
    """The keys that open a URL."""
    answer: Callable
    """The keys that give a user name, and those that give a password."""
    cancel: str
    """The keys that cancel the question for a user name."""
    welcome: tuple = ("", "")
    """A text that the browser shows at its start, and the keys that close it."""
    surface: type = Terminal

    def row(self, recorder, home):
        log = recorder.log
        log.clear()
        home = home / self.name
        home.mkdir()
        page, logout = f"{recorder.url}/admin/", f"{recorder.url}/admin/logout"
        terminal = self.surface(f"{self.command} {page}", home)
        try:
            return self.visit(terminal, log, page, logout)
        except AssertionError as error:
            raise AssertionError(f"{self.name}: {error}\n{log}\n{terminal.text()}") from None
        finally:
            terminal.close()

    def visit(self, terminal, log, page, logout):
        login = self.log_in(terminal, log, ALICE)
        has_cookie = any(it.has_cookie for it in log)
        if self.welcome[0]:
            self.wait(terminal, lambda text: self.welcome[0] in text)
            terminal.type(self.welcome[1])
        next_page = self.open_page(terminal, log, f"{page}users")
        logged_out = self.open_page(terminal, log, logout)
        if logged_out == "asks":
            terminal.type(self.cancel)
            self.wait(terminal, lambda text: self.prompts[0] not in text)
        headline = log[-1].headline
        after = self.open_page(terminal, log, f"{page}reports/2026/11")
        other = self.log_in(terminal, log, BOB) if after == "asks" else "–"
        return [
            self.name, version(self.version), "sent" if has_cookie else "not sent", login, next_page, headline, after,
            other,
        ]  # fmt: skip

    def open_page(self, terminal, log, url):
        """Opens a URL, and waits until the browser shows the page or asks its user."""
        self.wait(terminal, lambda text: self.prompts[0] not in text)
        count = len(log)
        shown = []

        def is_done(text):
            shown[:] = [it for it in log[count:] if it.status < 400 and url.endswith(it.path)]
            return shown or (self.prompts[0] in text and len(log) > count)

        # A window that has just received the focus may miss keys.
        for _ in range(3):
            for keys in self.open(url):
                terminal.type(keys)
                terminal.text()
            if self.is_soon(terminal, is_done, 10):
                break
        assert shown or self.prompts[0] in terminal.text(), f"{url} was not opened"
        return f"shown to {shown[-1].user}" if shown else "asks"

    def log_in(self, terminal, log, credentials):
        """Answers the question that is on the screen, until the page is shown."""
        for questions in ["1 question", "2 questions", "3 questions"]:
            self.wait(terminal, lambda text: self.prompts[0] in text)
            count = len(log)
            user, password = self.answer(*credentials)
            terminal.type(user)
            self.wait(terminal, lambda text: self.prompts[1] in text)
            terminal.type(password)
            self.wait(terminal, lambda _: any(it.user == credentials[0] for it in log[count:]))
            if log[-1].status < 400:
                return questions
        return "refused"

    def wait(self, terminal, is_done):
        assert self.is_soon(terminal, is_done, 30), "timed out"

    def is_soon(self, terminal, is_done, seconds):
        deadline = time.monotonic() + seconds
        while not is_done(terminal.text()):
            if time.monotonic() > deadline:
                return False
        return True


class QtWebEngine:
    """Qt's browser engine, as in qutebrowser and Falkon. `qt.py` answers its questions."""

    name = "QtWebEngine"

    def row(self, recorder, home):
        log = recorder.log
        log.clear()
        page, users, logout, other = (
            f"{recorder.url}/admin/{it}" for it in ["", "users", "logout", "reports/2026/11"]
        )
        names = ["alice:wonderland", "", "", "bob:builder"]
        steps = [f"{it}={url}" for it, url in zip(names, [page, users, logout, other])]
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1"}
        command = ["/usr/bin/python3", HERE / "qt.py", *steps]
        subprocess.run(command, env=environment, check=True, timeout=60, stderr=(home / "qt").open("w"))
        of = lambda url: [it for it in log if url.endswith(it.path)]
        questions = lambda url: f"{len([it for it in of(url) if it.status == 401])} question"
        shown = lambda it: f"shown to {it.user}" if it.status < 400 else "asks"
        number = "from PyQt6.QtWebEngineCore import PYQT_WEBENGINE_VERSION_STR as it; print(it)"
        return [
            self.name, version(f"/usr/bin/python3 -c '{number}'"), "sent" if of(page)[1].has_cookie else "not sent",
            questions(page), shown(of(users)[0]), of(logout)[0].headline, shown(of(other)[0]), questions(other),
        ]  # fmt: skip


ALL = [
    Browser(
        "w3m", "w3m -version", "w3m", ["Username", "Password"],
        lambda url: ["U", f"\x15{url}\r"], lambda user, password: (f"{user}\r", f"{password}\r"), "\x03",
    ),
    Browser(
        "ELinks", "elinks -version", "elinks", ["Login:", "Password:"],
        lambda url: ["g", f"{url}\r"], lambda user, password: (f"{user}\t", f"{password}\t\r"), "\t\t\t\r",
        welcome=("Welcome to ELinks!", "\r"),
    ),
    Browser(
        "Lynx", "lynx -version", "lynx -accept_all_cookies", ["Username for", "Password:"],
        lambda url: ["g", f"\x15{url}\r"], lambda user, password: (f"{user}\r", f"{password}\r"), "\x07",
    ),
    Browser(
        "Links", "links -version", "links", ["User ID", "Password"],
        lambda url: ["g", f"\x15{url}\r"], lambda user, password: (f"{user}\t", f"{password}\r"), "\t\t\t\r",
        welcome=("Welcome to links!", "\r"),
    ),
    Browser(
        "Dillo", "dillo --version", "dillo", ["Password for", "Password for"],
        lambda url: [f"\x0c{url}\r"], lambda user, password: (f"{user}\t", f"{password}\t\r"), "\t\t\t\r",
        surface=Window,
    ),
    QtWebEngine(),
]  # fmt: skip
