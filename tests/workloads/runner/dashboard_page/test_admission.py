"""Only the browser that used the link gets in, and only to look."""

import pytest

from workloads.runner.dashboard_page.admission import COOKIE, OPEN_PATH, Admission, Answer
from workloads.runner.dashboard_page.browser import has_display

HOST = {"host": "127.0.0.1:9000"}


def path_of(admission: Admission) -> str:
    return admission.link.removeprefix("http://127.0.0.1:9000")


def test_the_link_opens_one_browser_and_no_second_one() -> None:
    admission = Admission(9000)
    assert admission.judge("GET", path_of(admission), HOST) is Answer.OPEN
    assert admission.judge("GET", path_of(admission), HOST) is Answer.USED


def test_a_wrong_key_does_not_use_the_link_up() -> None:
    admission = Admission(9000)
    for path in (OPEN_PATH, f"{OPEN_PATH}?key=", f"{OPEN_PATH}?key=gu%C3%A9ss"):
        assert admission.judge("GET", path, HOST) is Answer.REFUSE
    assert admission.judge("GET", path_of(admission), HOST) is Answer.OPEN


def test_the_browser_that_was_let_in_may_look_at_everything() -> None:
    admission = Admission(9000)
    own = {
        **HOST,
        "cookie": f"theme=dark; {COOKIE}={admission.cookie}",
        "origin": "http://127.0.0.1:9000",
        "sec-fetch-site": "same-origin",
    }
    assert admission.judge("GET", "/", own) is Answer.PASS
    assert admission.judge("HEAD", "/api/jobs/?x=1", own) is Answer.PASS


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("GET", {"cookie": ""}),
        ("GET", {"cookie": f"{COOKIE}=guéss"}),
        ("GET", {"cookie": "\x00=;;"}),
        ("GET", {"host": "evil.example:9000"}),
        ("GET", {"host": "localhost:9000"}),
        ("GET", {"host": "127.0.0.1:9001"}),
        ("GET", {"origin": "https://evil.example"}),
        ("GET", {"origin": "null"}),
        ("GET", {"origin": "http://127.0.0.1:9001"}),
        ("GET", {"sec-fetch-site": "cross-site"}),
        ("GET", {"sec-fetch-site": "same-site"}),
        ("POST", {}),
        ("DELETE", {}),
        ("OPTIONS", {}),
    ],
)
def test_whoever_else_asks_is_refused(method: str, changes: dict[str, str]) -> None:
    admission = Admission(9000)
    headers = {**HOST, "cookie": f"{COOKIE}={admission.cookie}", **changes}
    assert admission.judge(method, "/api/jobs/", headers) is Answer.REFUSE


@pytest.mark.parametrize(
    ("environment", "system", "found"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"BROWSER": "firefox"}, "linux", True),
        ({}, "darwin", True),
    ],
)
def test_no_text_browser_is_started_in_the_terminal(
    environment: dict[str, str], system: str, found: bool
) -> None:
    assert has_display(environment, system) is found
