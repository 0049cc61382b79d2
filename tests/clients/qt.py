"""Opens each URL in turn in QtWebEngine. An argument is `user:password=URL`, or `=URL` for a user who cancels."""

import sys

from PyQt6 import sip
from PyQt6.QtCore import QUrl
from PyQt6.QtNetwork import QAuthenticator
from PyQt6.QtWebEngineCore import QWebEnginePage, QWebEngineProfile
from PyQt6.QtWidgets import QApplication

app = QApplication(["qt", "--no-sandbox"])
profile = QWebEngineProfile()  # off the record
page = QWebEnginePage(profile)
steps = [it.split("=", 1) for it in sys.argv[1:]]
waiting = []


def answer(_, authenticator):
    if not waiting:
        return sip.assign(authenticator, QAuthenticator())  # cancels
    user, password = waiting.pop(0)
    authenticator.setUser(user)
    authenticator.setPassword(password)


def advance(*_):
    if not steps:
        return app.quit()
    credentials, url = steps.pop(0)
    waiting[:] = [credentials.split(":")] if credentials else []
    page.load(QUrl(url))


page.authenticationRequired.connect(answer)
page.loadFinished.connect(advance)
advance()
app.exec()
