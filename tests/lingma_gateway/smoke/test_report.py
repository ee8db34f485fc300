from lingma_gateway.smoke.report import Judgement, Name, Outcome, Step, assemble, judged, names_in, not_tried

STATUS = {"name": "Wang Wei", "id": "u-77", "token": "plantedtoken1", "email": "wang@example.com", "status": 2}


def step(name: Name, judgement: Judgement) -> Step:
    return Step(name, judgement, 7)


def test_facts_of_the_steps_become_the_reports_own_fields() -> None:
    report = assemble(
        [
            step(Name.INITIALIZE, judged([], "fine", lingmaVersion="2.11.1", latency={"initializeMs": 3})),
            step(Name.CHAT, judged([], "fine", latency={"firstTokenMs": 5}, askReply="never")),
            step(Name.TWO_TURNS, judged([], "fine", concurrentTurns=2)),
            step(Name.FOUR_TURNS, judged(["slow"], "", concurrentTurns=1)),
        ],
        "2026-01-01T00:00:00Z",
        40,
        [],
    )
    assert report["latency"] == {"initializeMs": 3, "firstTokenMs": 5}
    assert (report["concurrentTurns"], report["askReply"], report["lingmaVersion"]) == (2, "never", "2.11.1")
    assert (report["ok"], report["totalMs"]) == (False, 40)
    assert [entry["outcome"] for entry in report["steps"]] == [*["as documented"] * 3, "differs"]


def test_nothing_found_leaves_no_empty_fields() -> None:
    report = assemble([step(Name.INITIALIZE, not_tried("no time"))], "now", 1, [])
    assert report.keys() == {"ok", "time", "totalMs", "steps"}
    assert report["ok"] is False


def test_people_and_tokens_are_masked_wherever_lingma_names_them() -> None:
    words = "Wang Wei (u-77) is over quota, ask wang@example.com; plantedtoken1"
    (entry,) = assemble([step(Name.CHAT, judged([words], ""))], "now", 1, names_in(STATUS))["steps"]
    assert "is over quota, ask" in entry["finding"]
    for secret in ("Wang", "u-77", "wang@", "plantedtoken1"):
        assert secret not in entry["finding"]


def test_only_an_object_names_people() -> None:
    assert names_in(None) == []
    assert set(names_in(STATUS)) == {"Wang Wei", "u-77", "plantedtoken1", "wang@example.com"}


def test_differences_are_joined() -> None:
    assert judged(["a", "b"], "").finding == "a; b"
    assert judged([], "well").outcome is Outcome.AS_DOCUMENTED
