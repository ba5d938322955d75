"""The OpenAPI document as a page for people, whole in itself: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree
from lxml.html import builder as h

_STYLE = """
:root { color-scheme: light dark; --edge: #8883; --soft: #8881; --blue: #2468b5; }
body { font: 16px/1.55 system-ui, "Noto Sans SC", "Microsoft YaHei", sans-serif;
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem; }
code { font: .92em ui-monospace, Consolas, monospace; }
h2 code { background: var(--blue); color: #fff; border-radius: .3rem; padding: .1rem .45rem;
          margin-right: .5rem; font-size: .8em; }
nav a { margin-right: .9rem; } a { color: var(--blue); }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem;
         border-bottom: 1px solid var(--edge); }
th { background: var(--soft); font-weight: 600; }
td:first-child { white-space: nowrap; }
.must { color: #c0392b; } .dim { opacity: .7; }
@media (max-width: 40rem) { td:first-child { white-space: normal; } }
"""

Document = Mapping[str, Any]


def build_page(document: Document) -> bytes:
    """The page, as UTF-8 HTML."""
    info = document["info"]
    operations = [
        (path, method, each)
        for path, methods in document["paths"].items()
        for method, each in methods.items()
    ]
    schemas = document["components"]["schemas"]
    title = f"{info['title']} {info['version']}"
    page = h.HTML(
        h.HEAD(
            h.META(charset="utf-8"),
            h.META(name="viewport", content="width=device-width, initial-scale=1"),
            h.TITLE(title),
            h.STYLE(_STYLE),
        ),
        h.BODY(
            h.H1(title),
            *[h.P(part) for part in info["description"].replace("`", "").split("\n\n")],
            h.P(
                "Credentials: HTTP Basic. 用户名和密码以 HTTP Basic 传送。 Machine-readable: ",
                h.A("openapi.json", href="/api/openapi.json"),
            ),
            h.E.nav(*[h.A(name, href=f"#{name}") for name in _names(operations)]),
            *[part for operation in operations for part in _operation(*operation)],
            h.H2("Models 数据结构"),
            *[part for name, schema in schemas.items() for part in _model(name, schema)],
        ),
        lang="en",
    )
    written: bytes = etree.tostring(
        page, method="html", doctype="<!DOCTYPE html>", encoding="utf-8", pretty_print=True
    )
    return written


def _names(operations: Sequence[tuple[str, str, Document]]) -> list[str]:
    return [each["operationId"] for _, _, each in operations]


def _operation(path: str, method: str, operation: Document) -> list[Any]:
    heading = h.H2(h.CODE(method.upper()), h.CODE(path), id=operation["operationId"])
    parts = [heading, h.P(operation["description"])]
    body = operation.get("requestBody")
    if body is not None:
        schema = _json_of(body)
        shown = h.P("Body: ", _type(schema))
        parts += [shown, _members(schema)] if "properties" in schema else [shown]
    for each in operation.get("parameters", ()):
        parts.append(h.P("Header ", h.CODE(each["name"]), f": {each['description']}"))
    answers = operation["responses"]
    parts.append(h.P("Answer: ", _type(_json_of(answers["200"]))))
    rows = [
        h.TR(h.TD(h.CODE(status)), h.TD(each["description"])) for status, each in answers.items()
    ]
    parts.append(h.E.details(h.E.summary("HTTP status 状态码"), h.TABLE(*rows)))
    return parts


def _json_of(held: Document) -> Document:
    schema: Document = held["content"]["application/json"]["schema"]
    return schema


def _model(name: str, schema: Document) -> list[Any]:
    return [h.H3(name, id=f"model-{name}"), h.P(schema.get("description", "")), _members(schema)]


def _members(schema: Document) -> Any:
    required = schema.get("required", ())
    return h.TABLE(
        h.TR(h.TH("Name"), h.TH("Type"), h.TH("Meaning")),
        *[
            h.TR(
                h.TD(h.CODE(name), h.SPAN(" *", h.CLASS("must")) if name in required else ""),
                h.TD(_type(each)),
                h.TD(each.get("description", "")),
            )
            for name, each in schema["properties"].items()
        ],
    )


def _type(schema: Document) -> Any:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return h.A(name, href=f"#model-{name}")
    if schema["type"] == "array":
        return h.SPAN("array of ", _type(schema["items"]))
    words = schema.get("format") or schema["type"]
    if "maxLength" in schema:
        words += f", ≤ {schema['maxLength']}"
    return h.SPAN(words, h.CLASS("dim"))
