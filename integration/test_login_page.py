"""The login page in a real browser: the right node, any state, without scripts, dark and narrow, nothing foreign.

With FLEET_PICTURES set, pictures of it go to that folder (`./dev pictures`).
"""

import os
import time
from pathlib import Path

import pytest
from actors.browser import Browser
from actors.client import NEWEST, OLDEST

PICTURES = os.environ.get("FLEET_PICTURES")
LOOKS = {"light": {}, "dark": {"dark": True}, "narrow": {"size": (320, 640)}, "narrow-dark": {"size": (320, 640), "dark": True}}
HOSTILE = "<script>alert('x')</script>\"&'><img src=http://evil.example/x>"


@pytest.fixture(scope="module")
def browser():
    made = Browser()
    yield made
    made.close()


def begin(tailnet, host="ann-laptop", coordinator=0, **more):
    """(raw client that wants to join, its AuthURL)."""
    raw = tailnet.machine().raw(host[:20], url=tailnet.url(coordinator))
    answer = raw.register(Hostinfo={"Hostname": host, "OS": "linux", "OSVersion": "12 (bookworm)", "IPNVersion": "1.102.5", "BackendLogID": ""}, **more)
    assert answer["status"] == 200 and answer["json"]["AuthURL"], answer
    return raw, answer["json"]["AuthURL"]


def auth_id(url):
    return url.rpartition("/")[2]


def picture(browser, name):
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        browser.picture(Path(PICTURES) / f"login-{name}.png")


def assert_clean(browser, url):
    """Nothing was loaded but from the login server itself, nothing complained."""
    origin = url.partition("/register/")[0] + "/"
    asked = browser.requests()
    assert asked and all(u.startswith(origin) for u in asked), asked
    assert not browser.complaints()


def assert_accessible(browser):
    names = browser.names()
    roles = [role for role, _ in names]
    assert roles[0] == "RootWebArea" and names[0][1], "the page has no title"
    assert roles.count("heading") == 1 and "main" in roles
    nameless = [role for role, name in names if role in ("heading", "link", "button", "image", "textbox") and not name.strip()]
    assert not nameless, nameless
    assert browser.run("return document.documentElement.lang") == "en"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize("look", LOOKS)
def test_it_shows_the_node(tailnet, browser, look, scripts):
    raw, url = begin(tailnet)
    other, _ = begin(tailnet, "other-host")
    browser.open(url, scripts=scripts, **LOOKS[look])
    assert browser.at("host") == "ann-laptop" and "other-host" not in browser.text
    assert "linux" in browser.at("os") and "1.102.5" in browser.at("client")
    assert browser.at("address") == os.environ["FLEET_ADDRESS"]
    assert auth_id(url) in browser.at("command")
    shown = browser.at("machine")
    assert shown.startswith("[") and shown.endswith("]") and len(shown) == 7
    assert_clean(browser, url)
    assert browser.overflow() <= 0
    weak = [c for c in browser.contrasts() if c["ratio"] < 4.5]
    assert not weak, weak
    assert_accessible(browser)
    if scripts and look != "narrow-dark":
        picture(browser, look)
    assert raw.keys["machine_key"] != other.keys["machine_key"]


def test_dark_is_dark(tailnet, browser):
    _, url = begin(tailnet)
    lights = []
    for dark in (False, True):
        browser.open(url, dark=dark)
        color = browser.run("return getComputedStyle(document.body).backgroundColor")
        lights.append(sum(int(v) for v in color[4:-1].split(",")[:3]))
    assert lights[0] > 600 and lights[1] < 150, lights


def test_scripts_are_really_off(browser):
    """The switch that the other tests rely on."""
    page = "data:text/html,<title>off</title><script>document.title='on'</script>"
    assert browser.open(page, scripts=False).driver.title == "off"
    assert browser.open(page).driver.title == "on"


@pytest.mark.parametrize("verb, state", [("register", "Joined"), ("reject", "Rejected")])
def test_it_tells_by_itself_what_became_of_it(tailnet, browser, verb, state):
    """Without a script: the page looks again every few seconds. The answer comes through the other coordinator."""
    _, url = begin(tailnet)
    browser.open(url, scripts=False)
    assert browser.at("state") == "Waiting for approval"
    body = {"authId": auth_id(url)}
    if verb == "register":
        tailnet.cluster.user("default", tailnet.name)  # makes it
        body["user"] = "default"
    tailnet.api("POST", f"/api/v1/auth/{verb}", body, coordinator=tailnet.cluster.coordinators[1])
    end = time.monotonic() + 15
    while (shown := browser.at("state")) != state:
        assert time.monotonic() < end and shown == "Waiting for approval", shown
        time.sleep(0.2)
    assert "ann-laptop" in browser.driver.find_element("tag name", "h1").text
    assert_clean(browser, url)
    assert_accessible(browser)
    if state == "Joined":
        picture(browser, "joined")


@pytest.mark.parametrize("release", [NEWEST, OLDEST])
def test_a_real_client_is_let_in_by_what_the_page_says(tailnet, browser, release):
    node = tailnet.machine(release).node("ann-laptop", url=tailnet.url(0))
    node.wait(lambda v: v["authurl"], 30, "a login page")
    browser.open(node.view["authurl"], scripts=False)
    assert browser.at("host") == "ann-laptop" and browser.at("os").startswith("linux")
    assert release in browser.at("client")
    tailnet.cluster.user("default", tailnet.name)
    command = browser.at("command").replace("NAME", "default").split()
    assert command[0] == "fleetscale"
    tailnet.cluster.command("--socket", tailnet.cluster.admin_socket(1), "--tailnet", tailnet.name, *command[1:])
    node.running(30)


def test_hostile_names_are_text(tailnet, browser):
    _, url = begin(tailnet, HOSTILE)
    browser.open(url)
    assert browser.at("host") == HOSTILE
    assert browser.run("return document.scripts.length + document.images.length") == 0
    assert_clean(browser, url)


@pytest.mark.parametrize("look", LOOKS)
def test_a_long_name_stays_inside(tailnet, browser, look):
    _, url = begin(tailnet, "w" * 240)
    browser.open(url, **LOOKS[look])
    assert browser.overflow() <= 0


def test_unknown_logins(tailnet, browser):
    _, url = begin(tailnet)
    wrong = url[:-4] + ("aaaa" if not url.endswith("aaaa") else "bbbb")
    browser.open(wrong)
    assert browser.at("state") == "Unknown" and "no such login" in browser.text
    assert "ann-laptop" not in browser.driver.page_source
    assert all(u.startswith(url.partition("/register/")[0]) for u in browser.requests())
    assert_accessible(browser)
