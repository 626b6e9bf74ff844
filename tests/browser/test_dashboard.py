"""What a reader does with the dashboard, in a real browser."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from benchmarks.server import Server
from core.nvae.drawing import decode_picture
from core.topics import TOPICS, built
from tests.browser.conftest import Open, settled
from ui.catalogue import words
from ui.frame import EVIDENCE

pytestmark = pytest.mark.browser

BUILT = [topic.slug for topic in TOPICS if built(topic.slug)]
PAGES = ["", *[topic.slug for topic in TOPICS], *EVIDENCE]
EN, ZH = words("en"), words("zh")
ERRORS = 1  # index of the chart of errors on the GELU page


def query(page: Page) -> dict[str, str]:
    """The parameters in the address bar."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def wait_for_query(page: Page, name: str, value: str | None) -> None:
    """Until the address bar says so."""
    page.wait_for_function(
        "([name, value]) => new URL(location.href).searchParams.get(name) === value",
        arg=[name, value],
    )


def curve(page: Page, chart: int = ERRORS) -> str:
    """The shape of a chart's first line, when it is drawn."""
    path = page.get_by_test_id("stVegaLiteChart").nth(chart).locator(".mark-line path")
    expect(path.first).to_be_visible(timeout=30_000)
    return path.first.get_attribute("d") or ""


def come_to(page: Page, panel: str) -> None:
    """Scroll to a panel, and again while what is drawn on the way there moves it."""
    page.wait_for_function(
        """panel => {
            const heading = document.getElementById(panel);
            const before = window.settledAt;
            heading?.scrollIntoView();
            window.settledAt = heading?.getBoundingClientRect().top;
            return heading && before === window.settledAt;
        }""",
        arg=panel,
        polling=700,
    )
    settled(page)


def slider(page: Page, label: str) -> Locator:
    return page.locator(f'input[type=range][aria-label="{label}"]').first


def option(page: Page, label: str) -> Locator:
    """A button of a segmented control."""
    return page.get_by_role("radio", name=label, exact=True).first


def expect_language(page: Page, language: str) -> None:
    page.wait_for_function("code => document.documentElement.lang === code", arg=language)


def cut_labels(page: Page) -> list[str]:
    """Of buttons whose place is kept, the words that it has no room for."""
    found: list[str] = page.evaluate(
        """() => ["preset", "reset", "tour"]
            .flatMap(kind => [...document.querySelectorAll(`[class*="st-key-_${kind}"] button`)])
            .filter(it => [...it.querySelectorAll("div")].some(x => x.scrollWidth > x.clientWidth))
            .map(it => it.innerText)"""
    )
    return found


def dragged(page: Page) -> Locator:
    return page.locator(".drag input[type=range]")


def test_a_cold_deep_link_to_a_fresh_server_has_its_frame_and_its_state(
    fresh_server: Server, visit: Open
) -> None:
    page = visit(f"{fresh_server.url}/gelu?lang=zh&gelu.curves.meter=cdf&gelu.curves.reach=3.5")
    expect(page.get_by_role("heading", name=ZH["topics.gelu.question"])).to_be_visible()
    links = page.get_by_test_id("stSidebarNavLink")
    expect(links).to_have_count(1 + len(TOPICS) + len(EVIDENCE))
    expect(links.filter(has_text=ZH["topics.vae.nav"])).to_have_count(1)
    assert slider(page, ZH["gelu.curves.reach"]).input_value() == "3.5"
    wait_for_query(page, "lang", "zh")
    assert query(page) == {"lang": "zh", "gelu.curves.meter": "cdf", "gelu.curves.reach": "3.5"}
    expect_language(page, "zh")


def test_a_fresh_server_hears_a_click_that_comes_while_it_draws(
    fresh_server: Server, visit: Open
) -> None:
    page = visit(f"{fresh_server.url}/vae?vae.codes.seed=3#codes", patient=False)
    page.get_by_role("button", name=EN["models.train"]).click()
    running = page.get_by_test_id("stSidebar").get_by_text(EN["models.running"])
    expect(running).to_be_visible()


@pytest.mark.parametrize("slug", PAGES)
def test_every_page_opens(slug: str, server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/{slug}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect_language(page, "en")


def test_a_link_is_the_experiment(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu")
    before = curve(page)
    option(page, EN["gelu.options.relative"]).click()
    reach = slider(page, EN["gelu.curves.reach"])
    reach.focus()
    page.keyboard.press("ArrowLeft")
    wait_for_query(page, "gelu.curves.reach", "4.5")
    wait_for_query(page, "gelu.curves.scale", "relative")
    settled(page)
    after = curve(page)
    assert after != before

    other = visit(page.url)
    assert curve(other) == after
    assert slider(other, EN["gelu.curves.reach"]).input_value() == "4.5"


def test_the_link_that_a_panel_hands_out_is_the_state(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu?gelu.why.degree=5&gelu.curves.reach=3")
    page.get_by_role("button", name=re.compile(EN["app.take_away"])).first.click()
    link = page.get_by_test_id("stCode").filter(has_text="gelu.why.degree=5").first.inner_text()
    assert "gelu.curves.reach=3.0" in link
    assert link.strip().endswith("#curves")
    other = visit(link.strip())
    assert slider(other, EN["gelu.curves.reach"]).input_value() == "3"


def test_dragging_moves_the_curve_without_a_run_and_release_reports_once(
    server: Server, visit: Open
) -> None:
    page = visit(f"{server.url}/gelu")
    come_to(page, "ripple")
    polyline = page.locator(".drag svg polyline")
    expect(polyline).to_be_visible()
    found = page.get_by_text(re.compile("above the least"))
    shape, said = polyline.get_attribute("points"), found.inner_text()
    drag = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"
    for value in ("0.0452", "0.0449", "0.044715"):
        dragged(page).evaluate(drag, value)
        assert polyline.get_attribute("points") != shape
        shape = polyline.get_attribute("points")
    assert found.inner_text() == said  # nothing has run
    assert "gelu.ripple.c" not in query(page)

    dragged(page).dispatch_event("change")
    wait_for_query(page, "gelu.ripple.c", "0.044715")
    expect(page.get_by_text(re.compile(r", 0\.0 % above the least"))).to_be_visible()


def test_a_way_drawn_on_the_map_outlives_its_release_and_is_the_one_that_is_played(
    server: Server, visit: Open
) -> None:
    page = visit(f"{server.url}/vae#walk")
    sheet = page.get_by_role("img", name=EN["vae.walk.map"])
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 60, steps=10)
    page.mouse.up()
    page.wait_for_function("() => location.search.includes('vae.walk.x=')")
    settled(page)
    way = page.locator("polyline.way")
    points = way.get_attribute("points")
    assert points is not None
    assert len(points.split()) >= 10
    page.get_by_role("button", name=EN["vae.walk.play"]).click()
    expect(page.get_by_role("button", name=EN["vae.walk.stop"])).to_be_visible()
    expect(way).to_have_attribute("points", points)  # not the circle that stands in for none


def test_sliding_alpha_moves_the_mean_without_a_run_and_release_reports_once(
    server: Server, visit: Open
) -> None:
    page = visit(f"{server.url}/optimization")
    alpha, steps = page.locator(".landscape input[type=range]"), page.locator(".landscape dl")
    expect(steps).to_contain_text("(−1.91, −0.60)")  # at alpha = 0.1
    slide = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"
    alpha.evaluate(slide, "0.5")
    expect(steps).to_contain_text("(−0.99, −0.60)")
    assert "optimization.density.log_alpha" not in query(page)  # nothing has run
    alpha.dispatch_event("change")
    wait_for_query(page, "optimization.density.log_alpha", "0.5")
    settled(page)
    expect(steps).to_contain_text("(−0.99, −0.60)")  # what the browser summed is the quadrature's


def test_a_drawn_character_is_taken_and_an_empty_sheet_is_not(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/nvae")
    come_to(page, "own")
    page.locator("summary").filter(has_text=EN["nvae.own.drawing"]).click()
    take = page.locator(".pad button.take")
    take.click()
    expect(page.get_by_text(EN["nvae.own.unreadable.blank"])).to_be_visible()
    assert "nvae.own.picture" not in query(page)

    sheet = page.get_by_role("img", name=EN["nvae.own.draw"])
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    assert box
    page.mouse.move(box["x"] + 60, box["y"] + 130)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 130, steps=5)
    page.mouse.up()
    take.click()
    expect(page.get_by_role("button", name=EN["nvae.own.back"])).to_be_visible()
    page.wait_for_function("() => location.search.includes('nvae.own.picture=')")
    drawn = decode_picture(query(page)["nvae.own.picture"], "glyphs")[0]
    rows, columns = drawn.any(1).nonzero(), drawn.any(0).nonzero()
    assert len(columns) == 28 > 4 * len(rows)  # a level stroke, as wide as the data's ink


def test_a_panel_is_drawn_when_the_reader_comes_near_it(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu")
    expect(page.locator("#why")).to_have_count(1)  # its heading is there from the start
    degree = page.get_by_role("radiogroup", name=EN["gelu.why.degree"])
    expect(degree).to_have_count(0)
    come_to(page, "why")
    expect(degree).to_be_visible()


def test_words_of_a_table_stay_whole_on_a_phone(server: Server, visit: Open) -> None:
    page = visit(
        f"{server.url}/gelu?lang=zh&gelu.refit.slope=1#refit",
        viewport={"width": 390, "height": 844},
    )
    come_to(page, "refit")
    head = page.get_by_test_id("stTable").first.locator("th p").first
    line = head.evaluate("word => parseFloat(getComputedStyle(word).lineHeight)")
    assert len(head.inner_text()) > 1
    assert head.evaluate("word => word.offsetHeight") < 1.5 * line


def test_a_link_to_a_panel_shows_it(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu?gelu.why.degree=5#why")
    expect(page.get_by_role("radio", name="5", exact=True)).to_be_checked()
    expect(page.locator("#why")).to_be_in_viewport()


def test_jump_to_the_optimum_levels_the_extrema(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu")
    come_to(page, "ripple")
    page.get_by_role("button", name=EN["gelu.ripple.presets.optimum"]).click()
    wait_for_query(page, "gelu.ripple.c", "0.044715")
    expect(page.locator(".drag svg text.label")).to_have_text(["−1.79×10⁻⁴", "1.79×10⁻⁴"])
    assert float(dragged(page).input_value()) == pytest.approx(0.044715)


def test_controls_of_two_panels_that_are_told_of_at_once_are_both_drawn(
    server: Server, visit: Open
) -> None:
    page = visit(f"{server.url}/gelu?gelu.curves.reach=3&gelu.ripple.c=0.05&gelu.why.degree=5")
    name = EN["gelu.ripple.presets.optimum"]
    optimum = page.get_by_role("button", name=name).element_handle()
    reset = page.get_by_role("button", name=EN["app.reset"]).first
    reset.evaluate("(first, second) => { first.click(); second.click(); }", optimum)
    wait_for_query(page, "gelu.curves.reach", None)
    wait_for_query(page, "gelu.ripple.c", "0.044715")
    assert query(page)["gelu.why.degree"] == "5"


def test_reset_puts_the_panel_back_and_empties_its_address(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu?gelu.curves.reach=3&gelu.curves.meter=cdf&gelu.why.degree=5")
    page.get_by_role("button", name=EN["app.reset"]).first.click()
    wait_for_query(page, "gelu.curves.reach", None)
    wait_for_query(page, "gelu.curves.meter", None)
    settled(page)
    assert slider(page, EN["gelu.curves.reach"]).input_value() == "5"
    assert query(page)["gelu.why.degree"] == "5"


def test_back_returns_to_the_page_as_it_was_in_one_step(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu")
    reach = slider(page, EN["gelu.curves.reach"])
    reach.focus()
    page.keyboard.press("ArrowLeft")
    wait_for_query(page, "gelu.curves.reach", "4.5")
    page.get_by_test_id("stSidebarNavLink").filter(has_text=EN["claims.nav"]).click()
    expect(page.get_by_role("heading", name=EN["claims.question"])).to_be_visible()
    settled(page)
    page.go_back()
    expect(page.get_by_role("heading", name=EN["topics.gelu.question"])).to_be_visible()
    settled(page)
    assert slider(page, EN["gelu.curves.reach"]).input_value() == "4.5"
    assert query(page)["gelu.curves.reach"] == "4.5"


def test_controls_survive_a_visit_to_another_page(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu?gelu.why.degree=5")
    links = page.get_by_test_id("stSidebarNavLink")
    links.filter(has_text=EN["claims.nav"]).click()
    expect(page.get_by_role("heading", name=EN["claims.question"])).to_be_visible()
    settled(page)
    assert "gelu.why.degree" not in query(page)
    links.filter(has_text=EN["topics.gelu.nav"]).click()
    expect(page.get_by_role("heading", name=EN["topics.gelu.question"])).to_be_visible()
    wait_for_query(page, "gelu.why.degree", "5")


def test_a_chinese_browser_gets_chinese_and_keeps_it_across_pages(
    server: Server, visit: Open
) -> None:
    page = visit(f"{server.url}/", locale="zh-CN")
    expect_language(page, "zh")
    page.get_by_test_id("stSidebarNavLink").filter(has_text=ZH["claims.nav"]).click()
    expect(page.get_by_role("heading", name=ZH["claims.question"])).to_be_visible()
    wait_for_query(page, "lang", "zh")


def test_switching_the_language_keeps_the_experiment(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu?gelu.refit.target=gelu&gelu.curves.reach=3")
    option(page, "中文").click()
    expect(page.get_by_role("heading", name=ZH["topics.gelu.question"])).to_be_visible()
    wait_for_query(page, "lang", "zh")
    settled(page)
    expect(slider(page, ZH["gelu.curves.reach"])).to_have_value("3")
    assert query(page)["gelu.refit.target"] == "gelu"
    expect_language(page, "zh")


def test_a_slider_whose_code_comes_late_shows_what_the_link_says(
    server: Server, visit: Open
) -> None:
    page = visit("about:blank", patient=False)
    late: list[Route] = []
    page.route(re.compile(r"/Slider\.[\w-]+\.js$"), lambda route: late.append(route))
    page.goto(f"{server.url}/gelu?gelu.curves.reach=3")
    settled(page)
    option(page, "中文").click()
    wait_for_query(page, "lang", "zh")
    settled(page)
    assert late
    for answer in late:
        answer.continue_()
    expect(slider(page, ZH["gelu.curves.reach"])).to_have_value("3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_reader_s_system(scheme: str, server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu", color_scheme=scheme)
    color = page.get_by_test_id("stApp").evaluate("app => getComputedStyle(app).backgroundColor")
    assert color == {"light": "rgb(251, 250, 246)", "dark": "rgb(16, 20, 24)"}[scheme]
    label = page.locator("svg.marks .role-axis-label text").first
    gray = label.evaluate("text => getComputedStyle(text).fill")
    assert gray == {"light": "rgb(92, 98, 106)", "dark": "rgb(163, 169, 177)"}[scheme]
    come_to(page, "ripple")
    ink = page.locator(".drag svg text").first.evaluate("text => getComputedStyle(text).fill")
    assert ink == {"light": "rgb(34, 38, 43)", "dark": "rgb(228, 226, 220)"}[scheme]


# English words are the longer ones: they run out of a line where Chinese breaks it.
@pytest.mark.parametrize(
    ("slug", "language"), [(slug, "en") for slug in ("", "claims", *BUILT)] + [("", "zh")]
)
def test_a_phone_needs_no_sideways_scroll(
    slug: str, language: str, server: Server, visit: Open
) -> None:
    phone = {"width": 390, "height": 844}
    page = visit(f"{server.url}/{slug}?lang={language}", viewport=phone, is_mobile=True)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    for anchor in page.locator("h2[id]").all():
        anchor.scroll_into_view_if_needed()
        settled(page)
    wide = page.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth")
    assert wide <= 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert cut_labels(page) == []


def test_the_keyboard_alone_reaches_and_moves_controls(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu")
    before = curve(page)
    come_to(page, "ripple")  # drawn before the keys fly past it, as a reader's fingers would not
    expect(dragged(page)).to_be_visible()
    seen = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "() => { let e = document.activeElement;"
            " while (e.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;"
            " return e.getAttribute('aria-label') || e.innerText; }"
        )
        seen.add((name or "").strip())
        if name == EN["gelu.curves.reach"]:
            page.keyboard.press("ArrowRight")
            wait_for_query(page, "gelu.curves.reach", "5.5")
        if name == EN["gelu.ripple.c"]:
            page.keyboard.press("ArrowRight")
            wait_for_query(page, "gelu.ripple.c", "0.045541")
            break
    assert {EN["gelu.options.cdf"], EN["gelu.curves.reach"], EN["gelu.ripple.c"]} <= seen
    settled(page)
    assert curve(page) != before


def test_charts_have_accessible_names(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu")
    curve(page)
    label = page.get_by_label(EN["gelu.curves.alt_functions"])
    expect(label.first).to_be_visible()


def test_a_claim_is_opened_and_measured_again(server: Server, visit: Open) -> None:
    page = visit(f"{server.url}/gelu")
    come_to(page, "claims")
    page.get_by_test_id("stExpander").filter(has_text=EN["gelu.claims.G4"]).locator(
        "summary"
    ).click()
    page.get_by_role("button", name=EN["claims.rerun"]).click()
    expect(page.get_by_text(re.compile("measured just now with seed"))).to_be_visible()
