import base64
import gzip
import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_contract import bundle
from lingma_contract.bundle import Bundle, BundleError

GOOD = {"id": b"0123456789abcdef", "user": b"secret login"}

contents = st.binary(min_size=1, max_size=600)
bundles = st.builds(
    lambda required, optional: Bundle({**required, **optional}),
    st.fixed_dictionaries(dict.fromkeys(bundle.REQUIRED, contents)),
    st.dictionaries(st.sampled_from(bundle.OPTIONAL), st.binary(max_size=600)),
)


def packed(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar.gz with these members after the good ones' place, each of type `kind`."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.type = kind
            member.linkname = "cache/user"
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue())


def good_and(*members: tuple[str, bytes]) -> bytes:
    return packed(*((f"cache/{name}", content) for name, content in GOOD.items()), *members)


def refusal(data: bytes) -> str:
    """Why `data` is refused: a sentence that shows no content."""
    with pytest.raises(BundleError) as caught:
        bundle.unpack(data)
    message = str(caught.value)
    assert message.startswith("the session bundle")
    assert "secret" not in message
    return message


@given(bundles)
def test_a_bundle_unpacks_as_it_was_packed(made: Bundle) -> None:
    assert bundle.unpack(bundle.pack(made)) == made
    assert bundle.unpack(bundle.encode(made).encode()) == made


@given(bundles)
def test_equal_bundles_have_equal_bytes_and_digests_whatever_their_order(made: Bundle) -> None:
    turned = Bundle({name: made.files[name] for name in sorted(made.files, reverse=True)})
    assert bundle.pack(turned) == bundle.pack(made)
    assert turned.digest == made.digest


@given(bundles, bundles)
def test_the_digest_tells_bundles_apart(one: Bundle, other: Bundle) -> None:
    assert (one.digest == other.digest) == (one.files == other.files)


def test_the_digest_does_not_depend_on_how_the_files_were_packed() -> None:
    by_hand = bundle.unpack(packed(("./cache/user", GOOD["user"]), ("id", GOOD["id"])))
    assert by_hand.digest == Bundle(GOOD).digest


@pytest.mark.parametrize("prefix", ["", "cache/", "./", "./cache/"])
def test_members_may_stand_with_or_without_their_folder(prefix: str) -> None:
    assert bundle.unpack(packed(*((prefix + name, content) for name, content in GOOD.items()))).files == GOOD


@pytest.mark.parametrize("wrap", [base64.encodebytes, lambda data: b"\n  " + base64.b64encode(data) + b"\r\n"])
def test_base64_may_hold_white_space(wrap: Callable[[bytes], bytes]) -> None:
    assert bundle.unpack(wrap(bundle.pack(Bundle(GOOD)))).files == GOOD


def test_a_bundle_shows_its_names_but_no_content_when_printed() -> None:
    assert repr(Bundle(GOOD)) == "Bundle(id, user)"


@pytest.mark.parametrize("data", [b"", b" \n\t"])
def test_an_empty_bundle_is_called_empty(data: bytes) -> None:
    assert "is empty" in refusal(data)


@pytest.mark.parametrize(
    "name",
    [
        "/cache/id",
        "/etc/passwd",
        "../cache/id",
        "cache/../id",
        "cache/../../etc/passwd",
        "cache/db/local.db",
        "cache//id",
        "cache/cache/id",
        "logs/lingma.log",
        "cache",
    ],
)
def test_a_member_outside_of_the_known_files_is_refused_by_name(name: str) -> None:
    message = refusal(good_and((name, b"x")))
    assert repr(name) in message
    assert "no file of a login" in message


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_links_devices_and_folders_are_refused(kind: bytes) -> None:
    assert refusal(packed(("cache/id", b""), kind=kind)) == "the session bundle's 'cache/id' is no plain file"


def test_a_member_that_stands_twice_is_refused_however_it_is_spelt() -> None:
    assert "'./cache/id' twice" in refusal(good_and(("./cache/id", b"x")))


def test_a_member_of_the_greatest_size_is_taken_and_one_byte_more_is_not() -> None:
    largest = b"x" * bundle.MAX_MEMBER_BYTES
    assert bundle.unpack(good_and(("cache/quota", largest))).files["quota"] == largest
    assert "'cache/quota' is larger than" in refusal(good_and(("cache/quota", largest + b"x")))


def test_a_gzip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(b"\0" * (16 * 1024 * 1024), compresslevel=1)
    assert f"larger than {bundle.MAX_ARCHIVE_BYTES} bytes" in refusal(bomb)


@pytest.mark.parametrize("missing", bundle.REQUIRED)
def test_a_bundle_without_a_login_is_refused_with_what_to_do(missing: str) -> None:
    rest = [(f"cache/{name}", content) for name, content in GOOD.items() if name != missing]
    assert f"has no cache/{missing}: pack it from a Lingma that is logged in" in refusal(packed(*rest))
    assert f"has no cache/{missing}" in refusal(packed(*rest, (f"cache/{missing}", b"")))


@given(st.integers(min_value=1, max_value=len(bundle.pack(Bundle(GOOD))) - 1))
def test_a_bundle_that_was_cut_short_anywhere_is_refused(length: int) -> None:
    refusal(bundle.pack(Bundle(GOOD))[:length])


@pytest.mark.parametrize("data", [b"no base64!", "ключ".encode(), b"aGVsbG8=", b"\x1f\x8b", gzip.compress(b"no tar")])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    refusal(data)


@given(st.data())
def test_no_damage_to_the_archive_raises_anything_else(data: st.DataObject) -> None:
    raw = bytearray(gzip.decompress(bundle.pack(Bundle(GOOD))))
    position = data.draw(st.integers(min_value=0, max_value=len(raw) - 1))
    garbage = data.draw(st.binary(min_size=1, max_size=16))
    raw[position : position + len(garbage)] = garbage
    try:
        bundle.unpack(gzip.compress(bytes(raw)))
    except BundleError as error:
        assert str(error).startswith("the session bundle")


@pytest.mark.parametrize("keyword", ["size", "GNU.sparse.size", "GNU.sparse.numblocks", "GNU.sparse.map", "path"])
@pytest.mark.parametrize("value", ["x", "-1", "9" * 30, ""])
def test_extended_headers_of_any_kind_raise_nothing_else(keyword: str, value: str) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("cache/id")
        member.size = 3
        member.pax_headers = {keyword: value, "GNU.sparse.major": "0"}
        archive.addfile(member, io.BytesIO(b"abc"))
    refusal(gzip.compress(raw.getvalue()))


@given(st.binary())
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    refusal(data)
    refusal(gzip.compress(data))
