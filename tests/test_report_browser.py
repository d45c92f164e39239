"""The page of a run in a browser, headless Chromium: search, filter, sort, keyboard, hostile cells, no request.

Where there is no Chromium with its driver, these tests skip. `VISMA_IMPORT_AXE` names axe-core's `axe.min.js`, with
which the page's accessibility is tested too.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from browser import CHROMIUM, DESKTOP, DRIVER, PHONE, Page, driver
from pages import HOSTILE, RECORD, outcomes_of, write_page
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from importer.model import Outcome, Problem, Status
from importer.report import html_file
from importer.report.contents import contents

__all__ = ["driver"]

AXE = os.environ.get("VISMA_IMPORT_AXE")
MANY = 20_000
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no Chromium with its driver")


@pytest.fixture
def small(driver: webdriver.Chrome, tmp_path: Path) -> Page:
    return Page(driver, write_page(tmp_path / "results.html", 20)).open()


@pytest.fixture(scope="module")
def large(driver: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(driver, write_page(tmp_path_factory.mktemp("large") / "results.html", MANY))


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("f00007", ["F00007"]),
        ("899999", ["F00002"]),
        ("cannot be FOUND", ["F00014"]),
        ("  date   exists ", ["F00020"]),
        ("rejected", ["F00014"]),
        ("F00003 accepted", ["F00003"]),
        ("nothing like it", []),
    ],
)
def test_a_search_finds_keys_numbers_statuses_and_words_of_messages(small: Page, words: str, keys: list[str]) -> None:
    """All words must be there, in whatever case and order."""
    small.search(words)

    assert small.keys == keys
    assert small.hits == (
        f"{len(keys)} documents of 20".replace("1 documents", "1 document") if keys else "No document is found."
    )


def test_a_row_number_finds_its_document(small: Page) -> None:
    """Also one in the middle of a document's rows."""
    outcomes = outcomes_of(20)
    small.search(str(outcomes[8].rows[1]))

    assert outcomes[8].key in small.keys
    assert all(str(outcomes[8].rows[1]) in key or key == outcomes[8].key for key in small.keys)


def test_each_way_of_choosing_a_status_filters_and_shows_as_chosen(small: Page) -> None:
    """The list, a part of the bar and a count do the same; chosen again, a count shows all again."""
    want = [outcome.key for outcome in outcomes_of(20) if outcome.status is Status.INVALID]
    Select(small.one("#status")).select_by_value("invalid")
    by_list = small.keys
    small.one("#clear").click()
    small.one(".bar rect[data-status=invalid]").click()
    by_bar = small.keys
    pressed = small.one("button.face[data-status=invalid]").get_attribute("aria-pressed")
    small.one("button.face[data-status=invalid]").click()

    assert (by_list, by_bar, pressed) == (want, want, "true")
    assert len(small.keys) == 20
    small.one("button.face[data-status=rejected]").click()
    assert (small.keys, small.one("#status").get_attribute("value")) == (["F00014"], "rejected")
    assert 0 <= small.run("return document.getElementById('documents').getBoundingClientRect().top") < 900


def test_what_needs_attention_can_be_seen_alone(small: Page) -> None:
    """Everything that is neither accepted nor left out."""
    Select(small.one("#status")).select_by_value("attention")
    done = {Status.ACCEPTED, Status.ALREADY_ACCEPTED, Status.FILTERED}

    assert small.keys == [outcome.key for outcome in outcomes_of(20) if outcome.status not in done]


def test_a_cause_leads_to_its_documents_and_back(small: Page) -> None:
    """The table shows them alone and says why, until all causes are asked for."""
    trouble = next(one for one in small.driver.find_elements(By.CSS_SELECTOR, ".trouble") if "Date" in one.text)
    trouble.find_element(By.CSS_SELECTOR, "button").click()

    assert small.keys == ["F00020"]
    assert small.one("#cause").text.startswith("Cause: Date: Not a date")
    assert small.focus == "documents"
    small.one("#cause button").click()
    assert len(small.keys) == 20


@pytest.mark.parametrize("name", ["rows", "key", "status", "number", "message", "sent"])
def test_each_column_sorts_up_and_down(small: Page, name: str) -> None:
    """What has nothing in the column stands last both ways, and the header says which way it is sorted."""
    up, down = [], []
    for found, way in ((up, "ascending"), (down, "descending")):
        if (name, way) != ("rows", "ascending"):
            small.one(f"th[data-column={name}] button").click()
        assert small.one(f"th[data-column={name}]").get_attribute("aria-sort") == way
        assert len(small.driver.find_elements(By.CSS_SELECTOR, "[aria-sort]")) == 1
        found.extend(zip(small.column(name), small.keys, strict=True))
    filled, blank = [one for one in up if one[0]], [one for one in up if not one[0]]

    assert up == filled + blank
    assert down == filled[::-1] + blank
    if name in {"key", "number", "sent"}:
        assert filled == sorted(filled)
    if name == "rows":
        assert filled == sorted(filled, key=lambda one: int(one[0].split("-")[0]))


def test_the_page_is_worked_by_keyboard_alone(small: Page) -> None:
    """Skip link, search, status, sorting by Enter and by Space, a count; what has the focus is seen to have it."""
    small.press(Keys.TAB, Keys.ENTER, Keys.TAB)
    assert small.focus == "search"
    small.press(*"accepted")
    assert small.hits == "14 documents of 20"
    small.press(Keys.TAB, "r")
    assert (small.focus, small.keys) == ("status", [])
    small.press(Keys.TAB)
    assert small.focus == "clear"
    small.press(Keys.ENTER)
    assert (small.focus, len(small.keys)) == ("search", 20)
    small.press(Keys.TAB, Keys.TAB, Keys.TAB)
    assert small.focus == "sort"
    small.press(Keys.ENTER)
    assert small.one("th[data-column=key]").get_attribute("aria-sort") == "ascending"
    small.press(Keys.SPACE)
    assert small.one("th[data-column=key]").get_attribute("aria-sort") == "descending"
    assert small.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_screen_reader_is_told_what_is_found_and_where_it_is(small: Page) -> None:
    """The live region speaks after the typing; landmarks and the table's roles stand, on a phone too."""
    small.open(width=PHONE).search("F00007")
    said = "return document.getElementById('said').textContent"
    # on a slow machine it also speaks where the typing halts
    WebDriverWait(small.driver, 10).until(lambda _: small.run(said) == "1 document of 20")

    assert small.one("#said").get_attribute("role") == "status"
    tree = small.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {node.get("role", {}).get("value") for node in tree if not node.get("ignored")}
    assert {"banner", "main", "search", "table", "row", "rowheader", "cell", "columnheader", "status"} <= roles


def test_hostile_cells_are_shown_as_the_text_they_are(driver: webdriver.Chrome, tmp_path: Path) -> None:
    """Nothing of them runs, with all of them shown, folded, searched and filtered; the browser complains of nothing."""
    outcomes = [
        Outcome(
            position=position,
            key=text,
            status=Status.INVALID,
            rows=(position + 2,),
            number=text,
            message=text * (1 + position % 2 * 20),
            problems=(Problem(sheet=text, column=text, value=text, code="pattern", message=text),),
        )
        for position, text in enumerate(HOSTILE)
    ]
    file = tmp_path / "results.html"
    html_file.write(file, contents(replace(RECORD, workbook_name=HOSTILE[0], stopped=HOSTILE[1]), outcomes))
    shown = Page(driver, file).open()
    title = driver.title
    shown.search("owned")
    shown.one(".trouble button").click()
    shown.one("th[data-column=message] button").click()
    shown.one("#cause button").click()

    assert driver.title == title
    assert shown.run("return document.querySelectorAll('img, h1 ~ h1, svg:not(.bar), #rows script').length") == 0
    shown.one("th[data-column=rows] button").click()
    assert shown.keys[:8] == list(HOSTILE[:8])
    assert shown.complaints == []


def test_no_request_leaves_the_page(small: Page) -> None:
    """It loads nothing, and could not: what a script tried would breach the policy."""
    for status in ("invalid", ""):
        Select(small.one("#status")).select_by_value(status)
    assert small.run("return performance.getEntriesByType('resource').map(entry => entry.name)") == []
    assert small.complaints == []

    tried = small.driver.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));"
        "new Image().src = 'https://example.com/x.png';"
    )
    assert tried == "img-src"


def test_the_policy_lets_no_text_become_a_script_or_an_element(small: Page) -> None:
    """A script that is put into the page does not run, and a text cannot be put in as elements at all."""
    small.run(
        "const script = document.createElement('script'); script.append('document.title = \"owned\"');"
        "try { document.body.append(script); } catch { /* refused */ }"
    )
    refused = small.run(
        "try { document.body.innerHTML = '<b>x</b>'; return 'taken'; } catch (error) { return error.name }"
    )

    assert refused == "TypeError"
    assert "owned" not in small.driver.title
    assert len(small.complaints) > 0


def test_twenty_thousand_documents_are_searched_filtered_and_sorted(large: Page) -> None:
    """A hundred are in the page at a time, and the pages hold all of them."""
    large.open()
    paint = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    painted = WebDriverWait(large.driver, 30).until(lambda _: large.run(paint))
    timed = (
        "const start = performance.now(); const box = document.getElementById('search'); box.value = arguments[0];"
        "box.dispatchEvent(new Event('input')); document.body.offsetHeight; return performance.now() - start"
    )
    searched = [large.run(timed, words) for words in ("F1", "cannot be found", "")]
    sort = (
        "const start = performance.now(); document.querySelector(`th[data-column=${arguments[0]}] button`).click();"
        "document.body.offsetHeight; return performance.now() - start"
    )
    sorted_by = [large.run(sort, name) for name in ("message", "key")]
    print(
        f"measured: results.html with 20,000 documents: first paint after {painted:.0f} ms, "
        f"search {max(searched):.0f} ms, sorting {max(sorted_by):.0f} ms"
    )

    assert (len(large.keys), large.hits) == (100, "20,000 documents, 1 to 100 shown")
    large.search("F19999")
    assert large.keys == ["F19999"]
    large.one("#clear").click()
    Select(large.one("#status")).select_by_value("rejected")
    assert large.hits == "1,000 documents of 20,000, 1 to 100 shown"
    assert set(large.column("status")) == {"rejected"}


def test_pages_lead_through_all_documents_and_stop_at_both_ends(large: Page) -> None:
    """First, back, next and last; a button that leads nowhere keeps the focus and says that it is off."""
    large.open()
    go = {name: large.one(f"[data-go={name}]") for name in ("first", "back", "next", "last")}
    assert go["back"].get_attribute("aria-disabled") == "true"
    go["next"].send_keys(Keys.ENTER)
    assert (large.keys[0], large.one("#page").text) == ("F00101", "Page 2 of 200")
    go["last"].send_keys(Keys.ENTER)
    go["next"].send_keys(Keys.ENTER)
    assert (large.keys[-1], large.one("#page").text) == ("F20000", "Page 200 of 200")
    assert go["next"].get_attribute("aria-disabled") == "true"
    go["back"].send_keys(Keys.ENTER)
    go["first"].send_keys(Keys.ENTER)
    assert large.keys[0] == "F00001"


def test_what_is_found_is_printed_up_to_what_a_printer_can_take(large: Page) -> None:
    """All hits, not the hundred of the screen; of more than two thousand the first, and it says so."""
    large.open()
    Select(large.one("#status")).select_by_value("rejected")
    large.run("dispatchEvent(new Event('beforeprint'))")
    assert (len(large.keys), large.one("#printed").get_attribute("textContent")) == (
        1_000,
        "1,000 documents of 20,000.",
    )
    large.run("dispatchEvent(new Event('afterprint'))")
    assert len(large.keys) == 100
    large.one("#clear").click()
    large.run("dispatchEvent(new Event('beforeprint'))")
    assert len(large.keys) == 2_000
    assert "the first 2,000 printed; results.xlsx holds all of them." in str(
        large.one("#printed").get_attribute("textContent")
    )


def test_times_are_also_told_by_the_readers_own_clock(small: Page) -> None:
    """With the zone's name, and the zone that is written there stays."""
    small.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    try:
        told = [one.text for one in small.open().driver.find_elements(By.CSS_SELECTOR, ".facts dd:has(time)")]
    finally:
        small.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})

    assert told == [
        "2025-01-27 10:00:00 UTC\n2025-01-27 19:00:00 Asia/Tokyo",
        "2025-01-27 10:04:05 UTC\n2025-01-27 19:04:05 Asia/Tokyo",
    ]


def test_the_page_fits_a_phone(small: Page) -> None:
    """Nothing is wider than the screen, each document is a card with its own words, and sorting is in reach."""
    small.open(width=PHONE)

    assert small.run("return document.documentElement.scrollWidth") <= PHONE
    assert small.run("return getComputedStyle(document.querySelector('#rows tr')).display") == "block"
    label = "return getComputedStyle(document.querySelector('#rows .c-status'), '::before').content"
    assert small.run(label) == '"Status"'
    small.one("th[data-column=number] button").click()
    assert small.keys[0] == "F00013"


def test_a_person_without_scripts_reads_the_same_page(driver: webdriver.Chrome, tmp_path: Path) -> None:
    """Headline, counts, totals, causes and the first documents, and no control that does nothing."""
    file = write_page(tmp_path / "results.html", 150)
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        Page(driver, file).open()
        tree = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    nodes = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node["ignored"]]

    assert ("heading", "7 of 150 documents may or may not be in Visma.") in nodes
    assert ("heading", "Customer not found") in nodes
    assert [name for role, name in nodes if role == "rowheader"][2:] == [f"F{number:05}" for number in range(1, 101)]
    assert {"button", "searchbox", "combobox"} & {role for role, _ in nodes} == set()


@pytest.mark.skipif(not AXE, reason="there is no axe-core (VISMA_IMPORT_AXE)")
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_that_keeps_anybody_out(
    driver: webdriver.Chrome, tmp_path: Path, width: int, *, dark: bool
) -> None:
    """Contrast, names, roles, landmarks: no violation, light and dark, on a desk and a phone."""
    shown = Page(driver, write_page(tmp_path / "results.html", 150)).open(width=width, dark=dark)
    shown.run(Path(str(AXE)).read_text(encoding="utf-8"))
    found = driver.execute_async_script("const done = arguments[0]; axe.run(document).then(done)")

    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found["violations"]] == []
    assert len(found["passes"]) > 20
