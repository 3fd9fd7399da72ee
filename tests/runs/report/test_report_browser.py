"""The pages in a real browser: Debian's chromium, driven by playwright."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from runs.compare import compare, write
from runs.report.build import build
from runs.report.ledger import build_ledger

CHROMIUM = Path("/usr/bin/chromium")

if not CHROMIUM.exists():
    pytest.skip(f"no browser: {CHROMIUM} is absent (apt-get install chromium)", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[browser]'")

CONTRAST = """() => {
  const channel = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  let worst = [99, ""];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.tagName === "SCRIPT" || e.disabled) continue;
    const a = luminance(parse(getComputedStyle(e).color)), b = luminance(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, e.outerHTML.slice(0, 200)];
  }
  return worst;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with sync_api.sync_playwright() as playwright:
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(sweep_writer, tmp_path_factory) -> Path:
    """A report with every section, more than a screenful of instances, and the longest names one can expect."""
    root = tmp_path_factory.mktemp("report")
    sweep = sweep_writer(root / "table_small-0123456789")
    sweep.searches({"good": 0.3, "poor": 4.0}, seeds=2, instances=9, datasets=("ca_small", "sc_small"))
    sweep.run("failing", 0, status="failed", config={"a_very_long_setting_name": "x" * 300})
    claim = {"id": "gap", "statement": "good ends lower than poor", "source": "abstract", "metric": "primal_gap"}
    claim |= {"better": "lower", "ours": "good", "against": "poor", "experiment": "lb_relax/table_small"}
    number = {"method": "good", "metric": "primal_gap", "value": 0.5, "unit": "%", "source": "recalled"}
    folder = root / "conf" / "experiment" / "lb_relax"
    folder.mkdir(parents=True)
    (folder / "claims.yaml").write_text(yaml.safe_dump([claim]))
    (folder / "published.yaml").write_text(yaml.safe_dump([number]))
    return build(sweep.folder, root / "conf").html


def opened(browser, path: Path, width: int = 1280, scheme: str = "light"):
    """A page, and the list that its complaints and its requests to anything but itself arrive in."""
    page = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.on("request", lambda r: complaints.append(r.url) if not r.url.startswith(("file:", "data:")) else None)
    page.goto(path.as_uri())
    return page, complaints


def column(page, table: str, index: int) -> list[str]:
    return page.locator(f"{table} tbody tr > :nth-child({index})").all_inner_texts()


def test_the_report_opens_without_a_complaint_in_both_schemes_and_every_text_has_contrast(browser, report) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        page, complaints = opened(browser, report, scheme=scheme)
        for details in page.locator("details").all():
            details.evaluate("e => { e.open = true; }")
        ratio, where = page.evaluate(CONTRAST)
        assert ratio >= 4.5, where
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        sizes = page.locator("figure img").evaluate_all("all => all.map(image => image.naturalWidth)")
        assert len(sizes) == 4
        assert min(sizes) > 0
        assert complaints == []
    assert len(grounds) == 2


def test_a_phone_scrolls_tables_but_never_the_page(browser, report) -> None:
    for scheme in ("light", "dark"):
        page, _ = opened(browser, report, width=360, scheme=scheme)
        for details in page.locator("details").all():
            details.evaluate("e => { e.open = true; }")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.locator(".scroll").first.evaluate("e => e.scrollWidth > e.clientWidth")


def test_a_click_on_a_header_sorts_by_number_and_a_second_click_turns_it_round(browser, report) -> None:
    page, complaints = opened(browser, report)
    head = page.locator("[data-table=instance-results] th", has_text="primal_integral").first
    index = 1 + head.evaluate("e => e.cellIndex")
    head.locator("button").click()
    up = [float(text) for text in column(page, "[data-table=instance-results]", index)]
    assert len(up) == 25
    assert up == sorted(up)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    down = [float(text) for text in column(page, "[data-table=instance-results]", index)]
    assert down == sorted(down, reverse=True)
    assert down[0] > up[-1]  # all rows were sorted, not only those on the screen
    assert complaints == []


def test_a_header_is_reached_and_pressed_from_the_keyboard(browser, report) -> None:
    page, _ = opened(browser, report)
    button = page.locator("#numbers table th button", has_text="primal_gap").first
    button.focus()
    page.keyboard.press("Enter")
    head = page.locator("#numbers table th[aria-sort=ascending]")
    assert head.inner_text().startswith("primal_gap")
    methods = column(page, "#numbers .scroll:first-of-type", 2)
    assert methods == ["good"] * 3 + ["poor"] * 3


def test_rows_can_be_filtered_and_paged(browser, report) -> None:
    page, _ = opened(browser, report)
    place = page.locator("[data-table=instance-results]")
    assert "1–25 of 72" in place.inner_text()  # noqa: RUF001
    place.get_by_role("button", name="Next").click()
    assert "26–50 of 72" in place.inner_text()  # noqa: RUF001
    place.locator("input").fill("poor sc_small-0003")
    assert column(page, "[data-table=instance-results]", 1) == ["poor", "poor"]
    place.locator("input").fill("no such row")
    assert "0–0 of 0" in place.inner_text()  # noqa: RUF001


def test_the_page_is_readable_without_scripts(browser, report) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(report.as_uri())
    assert "good ends lower than poor" in page.locator("#verdicts").inner_text()
    assert "reproduced" in page.locator("#verdicts").inner_text()


def test_text_from_files_cannot_run(browser, sweep) -> None:
    attack = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    sweep.run(attack, 0, name="attack", metrics={f"{attack}/1": {attack: 1.0}}, config={"note": attack})
    sweep.run("plain", 0, metrics={"a/1": {attack: 2.0}})
    page, complaints = opened(browser, build(sweep.folder).html)
    page.locator("[data-table=instance-results] th button").first.click()
    assert page.title() == "lb_relax/table_small"
    assert complaints == []


def test_ten_thousand_rows_stay_usable(browser, sweep) -> None:
    for method in ("a", "b"):
        sweep.run(method, 0, metrics={f"x/{i:05d}": {"cost": (i * 7919) % 10007 / 3} for i in range(5000)})
    page, complaints = opened(browser, build(sweep.folder).html)
    page.locator("[data-table=instance-results] th button", has_text="cost").click()
    assert column(page, "[data-table=instance-results]", 4)[0] == "0"
    assert page.locator("[data-table=instance-results] tbody tr").count() == 25
    assert complaints == []


def test_the_ledger_and_the_comparison_are_as_clean_as_the_report(browser, sweep, conf, tmp_path) -> None:
    sweep.searches({"good": 0.3, "poor": 4.0}, seeds=2, instances=6)
    claim = {"id": "gap", "statement": "s", "source": "abstract", "metric": "primal_gap", "better": "lower"}
    claim |= {"ours": "good", "against": "poor", "experiment": "lb_relax/table_small"}
    claims = [claim, claim | {"id": "other", "experiment": "lb_relax/figure_of_a_rather_long_name_small"}]
    ledger = build_ledger(tmp_path, conf(claims=claims)).html
    comparison, _ = write(compare(sweep.folder, sweep.folder), tmp_path)
    for path in (ledger, comparison):
        for scheme, width in (("light", 1280), ("dark", 360)):
            page, complaints = opened(browser, path, width, scheme)
            ratio, where = page.evaluate(CONTRAST)
            assert ratio >= 4.5, where
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.locator("th button").first.click()
            assert complaints == []
