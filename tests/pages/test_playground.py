"""What would it cost: the same arithmetic as the bill."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import make_job
from tests.pages.conftest import text

JOB = "tier=private&nodes=2&cpus=16&gpus=1&mem=64&hours=1.5"


def test_the_price_comes_with_its_arithmetic(client: Any, db: None) -> None:
    words = text(client.get(f"/playground/?{JOB}"))
    assert "Core-hours 48.0000 × 5.00 = 240.00" in words
    assert "GPU-hours 3.0000 × 100.00 = 300.00" in words
    assert "GB-hours 192.0000 × 2.00 = 384.00" in words
    assert "Total THB 924.00" in words


def test_the_other_tiers_stand_beside_it(client: Any, db: None) -> None:
    assert "University THB 159.00" in text(client.get(f"/playground/?{JOB}"))


def test_a_link_carries_the_question(client: Any, db: None) -> None:
    page = client.get(f"/playground/?{JOB}").content.decode()
    assert 'name="cpus" value="16"' in page


@pytest.mark.parametrize(
    "query",
    ["hours=", "hours=-1", "hours=NaN", "hours=1e99", "tier=none&hours=1", "nodes=0&hours=1", "hours=1&mem=Infinity"],
)
def test_nonsense_is_answered_beside_the_field(client: Any, db: None, query: str) -> None:
    response = client.get(f"/playground/?{query}")
    assert response.status_code == 200
    assert "Something in the form does not fit" in text(response)


def test_the_tier_is_that_of_the_newest_job(as_alice: Any, jobs: None, days_ago: Any) -> None:
    assert as_alice.get("/playground/").context["tier"].pk == "mu"
    make_job(account="ministry", end_at=days_ago(1))
    assert as_alice.get("/playground/").context["tier"].pk == "gov"


def test_a_signed_in_user_starts_with_their_own_tier(as_alice: Any, db: None) -> None:
    from accounts.models import TierRule

    TierRule.objects.create(position=1, kind="user", pattern="alice", tier_id="mu")
    assert as_alice.get("/playground/").context["tier"].pk == "mu"
