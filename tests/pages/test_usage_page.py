"""My usage: filter, totals, pages, CSV."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.periods import today
from tests.factories import make_job, make_jobs
from tests.pages.conftest import text


def rows(response: Any) -> list[dict[str, str]]:
    body = b"".join(response).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(body)))


def test_each_job_shows_its_hours_and_cost(as_alice: Any, jobs: None) -> None:
    words = text(as_alice.get("/usage/"))
    assert "501 lattice physics normal" in words
    assert "4.00 – 8.00 8.00 not billed yet" in words  # core-hours, no GPU, GB-hours, baht
    assert "4.00 – 8.00 20.00 not billed yet" in words


def test_totals_belong_to_the_filter(as_alice: Any, jobs: None) -> None:
    assert "Cost THB 28.00" in text(as_alice.get("/usage/"))
    assert "Cost THB 20.00" in text(as_alice.get("/usage/?account=ministry"))


def test_the_period_decides_by_the_day_a_job_ended(as_alice: Any, jobs: None, days_ago: Any) -> None:
    make_job(job_id=777, end_at=days_ago(200))
    assert "777" not in text(as_alice.get("/usage/"))
    assert "777" in text(as_alice.get("/usage/?period=all"))
    day = days_ago(200).date().isoformat()
    words = text(as_alice.get(f"/usage/?start={day[:8]}01&end={day[:8]}28"))
    assert "501" not in words


def test_filters_stay_in_every_link(as_alice: Any, jobs: None) -> None:
    page = as_alice.get("/usage/?account=physics&period=all&q=lat").content.decode()
    assert "view=aggregate" in page
    links = [part.split('"')[0].replace("&amp;", "&") for part in page.split('href="')[1:]]
    kept = [link for link in links if "view=aggregate" in link or link.startswith("/usage.csv")]
    assert len(kept) == 2
    assert all("account=physics" in link and "q=lat" in link and "period=all" in link for link in kept)


def test_a_filter_in_force_can_be_removed_alone(as_alice: Any, jobs: None) -> None:
    chips = as_alice.get("/usage/?account=physics&billed=no").context["active"]
    assert [(str(chip.label), str(chip.value), chip.without) for chip in chips] == [
        ("Account", "physics", "?billed=no"),
        ("Billed", "Not on a receipt", "?account=physics"),
    ]


def test_cluster_and_partition_are_offered_where_there_are_several(as_alice: Any, jobs: None, days_ago: Any) -> None:
    page = as_alice.get("/usage/").content.decode()
    assert 'id="id_cluster"' not in page
    make_job(job_id=503, cluster="tara", partition="gpu", end_at=days_ago(1))
    page = as_alice.get("/usage/").content.decode()
    assert 'id="id_cluster"' in page
    assert 'id="id_partition"' in page
    assert 'id="id_user"' not in page
    words = text(as_alice.get("/usage/?cluster=tara&partition=gpu"))
    assert "503" in words
    assert "501" not in words
    found = rows(as_alice.get("/usage.csv?cluster=tara&partition=gpu"))
    assert [row["job_id"] for row in found] == ["503"]
    assert [row["job_id"] for row in rows(as_alice.get("/usage.csv?partition=nowhere"))] == []


def test_what_is_chosen_stays_to_be_seen_where_nothing_fits_it(as_alice: Any, jobs: None) -> None:
    page = as_alice.get("/usage/?partition=gone&account=left").content.decode()
    assert '<option value="gone" selected>' in page
    assert '<option value="left" selected>' in page


def test_the_list_tells_what_a_job_used_of_what_it_held(as_alice: Any, jobs: None, days_ago: Any) -> None:
    assert "CPU use" not in text(as_alice.get("/usage/"))  # nothing is known
    make_job(job_id=503, used_cpu_seconds=3600, end_at=days_ago(1))  # of 4 cores for an hour
    make_job(job_id=504, used_cpu_seconds=0, end_at=days_ago(1))
    words = text(as_alice.get("/usage/"))
    assert "503 physics normal" in words
    assert "25 %" in words
    assert "0 %" in words


@pytest.mark.parametrize(
    ("period", "today", "first"),
    [("7", "2026-11-20", "2026-11-14"), ("year", "2026-11-20", "2026-10-01"), ("year", "2026-09-30", "2025-10-01")],
)
def test_presets_mean_their_days(monkeypatch: Any, settings: Any, period: str, today: str, first: str) -> None:
    from datetime import date

    from billing.forms import usage as forms

    monkeypatch.setattr(forms, "today", lambda: date.fromisoformat(today))
    assert forms.period_days(period) == (date.fromisoformat(first), date.fromisoformat(today))


def test_by_account_adds_up(as_alice: Any, jobs: None) -> None:
    words = text(as_alice.get("/usage/?view=aggregate"))
    assert "ministry normal 1 4.00 – 8.00 20.00" in words
    assert "Total 2 8.00 0.00 16.00 28.00" in words


def test_billed_view_leads_to_the_receipt(as_alice: Any, receipt: Any) -> None:
    make_job(job_id=888, end_at=receipt.created_at)
    response = as_alice.get("/usage/?view=billed&period=all")
    assert f'href="/receipts/{receipt.pk}/"' in response.content.decode()
    assert "888" not in text(response)


@pytest.mark.parametrize(
    ("query", "page", "file"),
    [
        ("after=%C2%B2-1", 200, 400), ("after=99999999999999-1", 200, 400), ("after=1", 200, 400),
        ("page=-1", 200, 400), ("account=%27%20OR%201=1", 200, 200), ("view=nonsense", 400, 400),
    ],
)  # fmt: skip
def test_odd_parameters_are_answered_or_refused_not_crashed_on(
    as_alice: Any, jobs: None, query: str, page: int, file: int
) -> None:
    """Every row is in a file: it knows no place in a list."""
    assert as_alice.get(f"/usage/?{query}").status_code == page
    assert as_alice.get(f"/usage.csv?{query}").status_code == file


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("start=yesterday", "From: Write the day as 2026-10-31."),
        ("start=31/10/2026", "From: Write the day as 2026-10-31."),
        ("start=0001-01-01&end=9999-12-31", "To: "),
        ("start=2026-02-02&end=2026-01-01", "To: The window ends before it begins."),
        ("period=nonsense", "Period: "),
        ("billed=maybe", "Billed: "),
        ("q=" + "x" * 500, "Job id or name: "),
    ],
)
def test_a_filter_of_no_sense_is_refused_in_words(as_alice: Any, jobs: None, query: str, words: str) -> None:
    """Never answered with the figures of another question."""
    page, file = as_alice.get(f"/usage/?{query}"), as_alice.get(f"/usage.csv?{query}")
    assert (page.status_code, file.status_code) == (400, 400)
    assert words in text(page)
    assert words in file.content.decode()
    assert "THB" not in text(page)
    assert "501" not in file.content.decode()


def test_the_days_of_a_preset_stand_in_the_fields(as_alice: Any, jobs: None) -> None:
    first, last = (today() - timedelta(days=89)).isoformat(), today().isoformat()
    response = as_alice.get("/usage/")
    assert f'name="start" value="{first}"' in response.content.decode()
    assert f'name="end" value="{last}"' in response.content.decode()
    assert as_alice.get(f"/usage/?start={first}&end={last}").context["period"] == "90"
    assert as_alice.get(f"/usage/?start={first}").context["period"] == ""


def test_what_was_searched_stays_in_its_field(as_alice: Any, jobs: None) -> None:
    assert 'name="q" value="lat"' in as_alice.get("/usage/?q=lat").content.decode()


def test_pages_show_every_job_once(as_alice: Any, alice: Any, days_ago: Any) -> None:
    make_jobs(120, end_at=days_ago(1))
    seen: list[str] = []
    url = "/usage/"
    while url:
        response = as_alice.get(url)
        page = response.context["page"]
        seen += [row.job.job_id_display for row in page.rows]
        url = f"/usage/?after={page.next_cursor}" if page.next_cursor else ""
    assert len(seen) == len(set(seen)) == 120


@pytest.mark.parametrize("after", ["x", "1765000000-7", "W10", "WyJvcGVuIiwiIiwiYSJd", "a" * 500])
def test_a_cursor_that_is_none_of_ours_shows_the_newest_jobs(as_alice: Any, jobs: None, after: str) -> None:
    response = as_alice.get(f"/usage/?after={after}")
    assert (response.status_code, response.context["after"]) == (200, "")
    assert response.context["page"].rows


@pytest.mark.parametrize("path", ["/", "/usage/", "/usage/?view=aggregate", "/usage/?view=billed"])
def test_queries_do_not_grow_with_jobs(
    as_alice: Any, alice: Any, days_ago: Any, path: str, django_assert_max_num_queries: Any
) -> None:
    make_jobs(10, end_at=days_ago(1))
    with django_assert_max_num_queries(60) as few:
        as_alice.get(path)
    make_jobs(190, end_at=days_ago(1))
    with django_assert_max_num_queries(len(few)):
        as_alice.get(path)


def test_csv_keeps_the_filter(as_alice: Any, jobs: None) -> None:
    found = rows(as_alice.get("/usage.csv?account=ministry"))
    assert [(row["job_id"], row["core_hours"], row["cost"], row["status"]) for row in found] == [
        ("502", "4.0000", "20.00", "unbilled")
    ]


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2", "@SUM(A1)", "\tx"])
def test_no_cell_of_the_csv_is_a_formula(as_alice: Any, alice: Any, days_ago: Any, name: str) -> None:
    make_job(job_name=name, account=name, end_at=days_ago(1))
    for row in rows(as_alice.get("/usage.csv")):
        assert not any(value.startswith(("=", "+", "-", "@", "\t")) for value in row.values())


def test_hostile_names_are_text(as_alice: Any, alice: Any, days_ago: Any) -> None:
    make_job(job_name="<script>alert(1)</script>", account="<b>x", end_at=days_ago(1))
    assert "<script>alert" not in as_alice.get("/usage/").content.decode()


def test_a_newcomer_is_told_what_will_appear(as_alice: Any) -> None:
    assert "No jobs of yours have arrived yet" in text(as_alice.get("/"))
    assert "No jobs fit this filter" in text(as_alice.get("/usage/"))
    assert "No receipts yet" in text(as_alice.get("/receipts/"))


def test_with_a_wrong_day_what_can_be_chosen_stays_a_list(as_alice: Any, alice: Any) -> None:
    make_job(end_at=timezone.now(), account="physics")
    page = as_alice.get("/usage/?start=yesterday")
    assert page.status_code == 400
    for name in ("account", "state"):
        assert f'<select name="{name}"' in page.content.decode()
    assert "physics" in text(page)
