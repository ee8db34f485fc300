from lingma_contract import names


def test_the_longest_account_leaves_room_for_the_revision_label_of_its_statefulset() -> None:
    # Kubernetes labels the pods `<statefulset>-<hash of at most 10 characters>`, and a label holds 63.
    assert len(names.children_name("a" * names.MAX_ACCOUNT_NAME)) + len("-") + 10 <= 63


def test_the_children_and_the_captured_session_of_an_account_have_different_names() -> None:
    assert names.children_name("alice") != names.captured_secret_name("alice")


def test_every_internal_header_has_the_prefix_that_routers_strip() -> None:
    public = {names.Header.REQUEST_ID, names.Header.CODEX_TURN_STATE}
    assert all(header.value.startswith(names.INTERNAL_HEADER_PREFIX) for header in set(names.Header) - public)


def test_header_names_are_lower_case_as_asgi_gives_them() -> None:
    assert all(header.value == header.value.lower() for header in names.Header)
