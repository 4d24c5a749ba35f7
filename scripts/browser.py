"""A real Chromium without a screen, driven by its DevTools protocol over two pipes: no port, no library.

For tests of pages, and for pictures of them. The browser resolves no name, so nothing it is asked to load can
come from a network; what a page asked for, and what its policy refused, is kept.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--mute-audio", "--no-first-run", "--disable-extensions", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--autoplay-policy=no-user-gesture-required", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-device-scale-factor=1", "--remote-debugging-pipe",
)  # fmt: skip
_KEY_CODES = {
    "Enter": 13,
    "Escape": 27,
    " ": 32,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}
_FIRST_FREE_DESCRIPTOR = 20


def find_browser() -> str | None:
    """The path of a Chromium on this machine; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class BrowserError(Exception):
    """The browser died, did not answer in time, or says that a command failed."""


class Browser:
    """One browser process; `with` ends it."""

    def __init__(self, executable: str, timeout_seconds: float = 30.0) -> None:
        self._timeout_seconds = timeout_seconds
        self._profile = tempfile.TemporaryDirectory(prefix="vlmtl-browser-", ignore_cleanup_errors=True)
        theirs_in, self._out = _pipe()
        self._in, theirs_out = _pipe()
        # Chromium wants its ends to be the descriptors 3 and 4.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "browser", executable, *_SWITCHES,
             f"--user-data-dir={self._profile.name}", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer = b""
        self._last_id = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its result; events that come meanwhile are kept in `events`."""
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        while True:
            answer = self._receive()
            if answer.get("id") != self._last_id:
                self.events.append(answer)
            elif "error" in answer:
                raise BrowserError(f"{method}: {answer['error']['message']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def wait_for(self, method: str, session: str, since: int = 0) -> dict[str, Any]:
        """The first event of that name after `since` in `events`."""
        while True:
            for event in self.events[since:]:
                if event.get("method") == method and event.get("sessionId") == session:
                    return event
            self.events.append(self._receive())

    def new_page(self) -> Page:
        """An empty tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, target, session)

    def close(self) -> None:
        """End the browser."""
        os.close(self._out)  # it ends when its pipe does
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        self._profile.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + self._timeout_seconds
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self._in, 1 << 20) if ready else b""
            if not data:
                raise BrowserError("the browser does not answer" if not ready else "the browser has ended")
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(text)
        return answer


class Page:
    """One tab. What it asked for and what was refused is kept since the last `open`."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session
        self._since = 0
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Go there, and wait until it is loaded."""
        self._since = len(self._browser.events)
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise BrowserError(f"{url}: {answer['errorText']}")
        self._browser.wait_for("Page.loadEventFired", self._session, self._since)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"].get("exception", {}).get("description")))
        return answer["result"].get("value")

    def wait_until(self, expression: str, seconds: float = 10.0) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                raise BrowserError(f"still not true: {expression}")
            time.sleep(0.02)

    def press(self, *keys: str) -> None:
        """Press keys as a person does, each by its name in `KeyboardEvent.key`."""
        for key in keys:
            text = "\r" if key == "Enter" else key if len(key) == 1 else ""
            code = _KEY_CODES.get(key, ord(key[0].upper()))
            self.call(
                "Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code
            )
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def type(self, text: str) -> None:
        """Put a text where the focus is."""
        self.call("Input.insertText", text=text)

    def click(self, selector: str, share: float = 0.5) -> None:
        """Click on an element with the mouse, at a share of its width."""
        found = self.evaluate(
            f"(() => {{const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'nearest'}); const b = e.getBoundingClientRect();"
            f"return [b.left + b.width * {share}, b.top + b.height / 2]}})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=found[0], y=found[1], button="left", clickCount=1
            )

    def look_as(self, width_px: int, height_px: int, *, dark: bool = False, is_print: bool = False) -> None:
        """Set the size of the window, and what the page is to be shown for."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width_px, height=height_px, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="print" if is_print else "screen", features=[scheme])

    def run_scripts(self, is_allowed: bool) -> None:
        """Whether pages opened from now on may run scripts."""
        self.call("Emulation.setScriptExecutionDisabled", value=not is_allowed)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """The window, or the whole page, as PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    @property
    def requested(self) -> list[str]:
        """Every address the page asked for."""
        return [event["params"]["request"]["url"] for event in self._heard("Network.requestWillBeSent")]

    @property
    def complaints(self) -> list[str]:
        """What the browser logged, what scripts threw, and what the page's policy refused."""
        logged = [event["params"]["entry"]["text"] for event in self._heard("Log.entryAdded")]
        thrown = [json.dumps(event["params"]) for event in self._heard("Runtime.exceptionThrown")]
        refused = [json.dumps(event["params"]) for event in self._heard("Audits.issueAdded")]
        return [*logged, *thrown, *refused]

    @property
    def refused(self) -> list[str]:
        """What of it the page's policy refused, before anything was sent."""
        asked = {
            event["params"]["requestId"]: event["params"]["request"]["url"]
            for event in self._heard("Network.requestWillBeSent")
        }
        failed = [event["params"] for event in self._heard("Network.loadingFailed")]
        return [asked[each["requestId"]] for each in failed if each.get("blockedReason") == "csp"]

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)

    def _heard(self, method: str) -> list[Mapping[str, Any]]:
        self.evaluate("0")  # whatever was sent before has come by then
        events = self._browser.events[self._since :]
        return [
            each for each in events if (each.get("method"), each.get("sessionId")) == (method, self._session)
        ]


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are no descriptors that a child could need for something else."""
    ends = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_DESCRIPTOR))
        os.close(end)
    return ends[0], ends[1]
