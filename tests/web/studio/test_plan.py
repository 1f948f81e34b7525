"""The studio's plan: what the command tells, as a page."""

from __future__ import annotations


def test_the_plan_says_what_changes_and_for_how_many_people(studio):
    studio.house.tell("Signed Up")
    studio.house.live_until("+1 hour")
    name = "campaigns/0.yaml"
    studio.write(name, studio.house.files[name].replace("wait: 2 days", "wait: 5 days"))
    page = studio.text("/studio/plan")
    assert "2 days" in page
    assert "1 here" in page
    assert '<span class="added">+  - wait: 5 days' in page
    studio.write(name, studio.house.files[name] + "nonsense: 1\n")
    assert "Once the files are sound" in studio.text("/studio/plan")
