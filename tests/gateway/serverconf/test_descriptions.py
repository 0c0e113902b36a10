from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.serverconf.descriptions import DescribedService, parse_openapi, parse_wsdl
from gateway.xroad.faults import MalformedMessage, XRoadFault

SOAP11, SOAP12 = "http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/"


def a_wsdl(
    operations: str, *, soap: str = SOAP11, location: str = "http://registry.test/soap", more: str = ""
) -> bytes:
    return (
        f'<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="{soap}" xmlns:t="urn:t"'
        ' xmlns:xrd="http://x-road.eu/xsd/xroad.xsd" targetNamespace="urn:t">'
        '<w:portType name="p"><w:operation name="GetPerson"><w:documentation><xrd:title>Особа</xrd:title>'
        "</w:documentation></w:operation></w:portType>"
        f'<w:binding name="b" type="t:p"><s:binding/>{operations}</w:binding>{more}'
        f'<w:service name="x"><w:port name="y" binding="t:b"><s:address location="{location}"/></w:port></w:service>'
        "</w:definitions>"
    ).encode()


def an_operation(name: str, version: str | None = None) -> str:
    said = "" if version is None else f"<xrd:version>{version}</xrd:version>"
    return f'<w:operation name="{name}">{said}</w:operation>'


class TestWsdl:
    @pytest.mark.parametrize("soap", [SOAP11, SOAP12])
    def test_operations_of_both_bindings_are_services(self, soap: str) -> None:
        document = a_wsdl(an_operation("GetPerson", "v1") + an_operation("Ping"), soap=soap)
        assert parse_wsdl(document) == (
            DescribedService("GetPerson", "v1", "Особа", "http://registry.test/soap"),
            DescribedService("Ping", None, None, "http://registry.test/soap"),
        )

    def test_versions_of_one_operation_are_services_of_their_own(self) -> None:
        document = a_wsdl(an_operation("GetPerson", "v1") + an_operation("GetPerson", " v2 "))
        assert [(one.code, one.version) for one in parse_wsdl(document)] == [("GetPerson", "v1"), ("GetPerson", "v2")]

    def test_same_operation_in_two_bindings_is_one_service(self) -> None:
        twice = (
            f'<w:binding name="b2" type="t:p"><s12:binding xmlns:s12="{SOAP12}"/>{an_operation("Ping")}</w:binding>'
            '<w:service name="z"><w:port name="y" binding="t:b2">'
            f'<s12:address xmlns:s12="{SOAP12}" location="http://other.test/"/></w:port></w:service>'
        )
        services = parse_wsdl(a_wsdl(an_operation("Ping"), more=twice))
        assert [one.code for one in services] == ["Ping"]

    def test_binding_that_is_not_soap_is_left_out(self) -> None:
        http_binding = f'<w:binding name="b3" type="t:p">{an_operation("Other")}</w:binding>'
        assert [one.code for one in parse_wsdl(a_wsdl(an_operation("Ping"), more=http_binding))] == ["Ping"]

    def test_quotes_in_names_do_no_harm(self) -> None:
        assert parse_wsdl(a_wsdl(an_operation("a'b]")))[0].code == "a'b]"

    @pytest.mark.parametrize(
        ("document", "code"),
        [
            (b"", "invalid_xml"),
            (b"<html/>", "invalid_request"),
            (b"<!DOCTYPE x [<!ENTITY a 'a'>]><definitions/>", "invalid_xml"),
            (a_wsdl(""), "invalid_request"),
            (b"<a>" * 10_000, "invalid_xml"),
        ],
    )
    def test_anything_else_is_refused(self, document: bytes, code: str) -> None:
        with pytest.raises(MalformedMessage) as refused:
            parse_wsdl(document)
        assert refused.value.code == code

    def test_wsdl_of_the_demographic_registry_is_read(self) -> None:
        wsdl = next((Path(__file__).parents[3] / "registry_adapters").rglob("*.wsdl"), None)
        if wsdl is not None:
            assert parse_wsdl(wsdl.read_bytes())

    @given(st.binary(max_size=300))
    def test_any_bytes_are_read_or_refused(self, document: bytes) -> None:
        _read_or_refuse(parse_wsdl, document)


def _read_or_refuse(parse: object, document: bytes) -> None:
    try:
        parse(document)  # type: ignore[operator]
    except XRoadFault:
        return


YAML = """
openapi: 3.0.1
servers:
  - url: https://registry.test/api
paths:
  /persons/{id}:
    summary: A person
    get: {}
    delete: {}
  /persons:
    post: {}
"""


class TestOpenApi:
    def test_yaml_is_read(self) -> None:
        api = parse_openapi(YAML.encode())
        assert api.url == "https://registry.test/api"
        assert api.endpoints == (("GET", "/persons/*"), ("DELETE", "/persons/*"), ("POST", "/persons"))

    def test_json_is_read_with_a_byte_order_mark_too(self) -> None:
        document = json.dumps({"openapi": "3.1.0", "paths": {"/a": {"get": {}}}}).encode()
        for form in (document, b"\xef\xbb\xbf" + document, b"  \n" + document):
            assert parse_openapi(form).endpoints == (("GET", "/a"),)

    @pytest.mark.parametrize(
        ("path", "rule"),
        [
            ("/a/{b}/c", "/a/*/c"),
            ("/{a}.{b}", "/*.*"),
            ("/{a}{b}", "/*"),  # never `**`, which would cover slashes
            ("/a*", r"/a\*"),
            ("/{}", "/*"),
            ("/{a/b}", "/{a/b}"),
        ],
    )
    def test_parameters_become_wildcards_of_one_segment(self, path: str, rule: str) -> None:
        document = json.dumps({"openapi": "3.0.0", "paths": {path: {"get": {}}}}).encode()
        assert parse_openapi(document).endpoints == (("GET", rule),)

    @pytest.mark.parametrize(
        "document",
        [
            b"", b"[]", b"openapi: '2.0'", b"swagger: '2.0'", b"\xff\xfe", b"{", b"openapi: [", b"\x00",
            b"a: !!python/object/apply:os.system ['true']",
        ],
    )  # fmt: skip
    def test_anything_else_is_refused(self, document: bytes) -> None:
        with pytest.raises(MalformedMessage) as refused:
            parse_openapi(document)
        assert refused.value.code == "invalid_request"

    def test_yaml_that_grows_by_aliases_is_refused(self) -> None:
        with pytest.raises(MalformedMessage) as refused:
            parse_openapi(b"a: &a [x, x]\nb: &b [*a, *a]\nopenapi: 3.0.0\n")
        assert refused.value.text_id == "descriptions.yaml_aliases"

    @pytest.mark.parametrize("document", [b"[" * 100_000, b'{"a":' * 100_000, b"- " * 50_000])
    def test_deep_nesting_is_refused(self, document: bytes) -> None:
        with pytest.raises(MalformedMessage):
            parse_openapi(document)

    def test_large_document_is_refused(self) -> None:
        with pytest.raises(MalformedMessage) as refused:
            parse_openapi(b" " * (10 * 1024 * 1024 + 1))
        assert refused.value.text_id == "descriptions.too_large"

    @pytest.mark.parametrize(
        "changes",
        [{"servers": None}, {"servers": [1]}, {"servers": [{}]}, {"paths": None}, {"paths": [1]}, {"paths": {"/": 1}}],
    )
    def test_missing_parts_are_simply_missing(self, changes: dict[str, object]) -> None:
        api = parse_openapi(json.dumps({"openapi": "3.0.0", **changes}).encode())
        assert (api.url, api.endpoints) == ("", ())

    @given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
    def test_any_bytes_are_read_or_refused(self, document: bytes) -> None:
        _read_or_refuse(parse_openapi, document)

    @given(
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                st.sampled_from(["openapi", "servers", "paths", "url", "get", "/a", "x"]), inner, max_size=4
            ),
            max_leaves=12,
        )
    )  # fmt: skip
    def test_any_json_is_read_or_refused(self, tree: object) -> None:
        _read_or_refuse(parse_openapi, json.dumps(tree).encode())
