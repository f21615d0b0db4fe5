"""Strings that have broken bridges: what ends an XML stream, what is no text, what is too much of it, and mixtures of these."""
import random

CONTROLS = [chr(c) for c in [*range(0x20), *range(0x7F, 0xA0)]]
MARKUP = ["&#1;", "&#x0;", "&#xFFFE;", "&amp;", "&lolz;", "<", ">", "&", "]]>", "<![CDATA[", "<!-- c -->", "<?pi x?>", "<?xml version='1.0'?>",
          "<!DOCTYPE x [<!ENTITY a 'b'>]>", "</stream:stream>", "</message>", "</body><x/>", "<presence from='admin@localhost'/>", "'/><a b='", '"', "'"]
NO_CHARACTERS = ["\ufffe", "\uffff", "\U0001fffe", "\U0010ffff", "\ufdd0", "\ufeff", "\u2028", "\u2029", "\u0085"]
LOOKS = ["\u202e", "\u2066", "\u200f", "\u200b", "\u200d", "\u00ad", "a" + "\u0301" * 300, "\u0340", "\u0130", "\u1e9e\u017f", "\uff0f", "\uff20", "\u3002", "\U0001f468\u200d\U0001f469"]
NAMES = ["/", "@", "a@b/c", "a/b@c", "..", "../../etc/passwd", " ", "  x  ", "%s%n%1000000d", "{name}", "{1}", "{value}", "{{ value }}", "$(reboot)", "`id`", "'; DROP TABLE identity;--",
         "\\20\\2f\\40", "\\", "bridge.localhost", "admin@localhost", "con", "null", "true", "-", "--help", "=", ":"]
NUMBERS = ["1e999", "-1e999", "NaN", "Infinity", "-0", "9" * 400, "0x10", "1.", "1e-400", "99999999999999999999"]
LARGE = ["A" * 2000, "\u00e9" * 2000, "<" * 3000, "&" * 3000, "\n" * 500, "\u202e" * 500, "[" * 3000, '{"a":' * 1000, "\U0001f600" * 1000]
TEXTS = CONTROLS + MARKUP + NO_CHARACTERS + LOOKS + NAMES + NUMBERS + LARGE

NOT_UTF8 = [b"\xff\xfe", b"\xc0\x80", b"\xc1\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"a\xffb"]
JSON = [b'{"a":1,"a":2}', b'{"note":', b'{"note":"\\ud800"}', b'{"note":"\\u0000x"}', b'{"note":"\\u0001\\ufffe"}', b'{"note":1e999}', b'{"note":' + b"9" * 400 + b"}",
        b'{"note":[[[[]]]]}', b'{"note":{"note":{"note":1}}}', b'{"note":null}', b'{"note":true}', b"[" * 5000, b'{"note":' * 3000, b"[]", b"nul", b'"', b"", b"\0", b"{}" * 10]


def texts(count, seed):
    """`count` strings: each of the list, then mixtures of them."""
    rng = random.Random(seed)
    yield from TEXTS[:count]
    for _ in range(count - len(TEXTS)):
        yield "".join(rng.choice(TEXTS if rng.random() < 0.8 else LOOKS)[:rng.choice((3, 40, 2000))] for _ in range(rng.randint(1, 4)))


def payloads(count, seed):
    """`count` payloads: bytes that are no text, JSON of all sorts, texts, and JSON with texts."""
    rng = random.Random(seed)
    some = list(texts(count, seed))
    yield from (NOT_UTF8 + JSON)[:count]
    for text in some[:max(0, count - len(NOT_UTF8 + JSON))]:
        data = text.encode()
        kind = rng.randrange(4)
        if kind == 0:
            at = rng.randint(0, len(data))
            data = data[:at] + rng.choice(NOT_UTF8) + data[at:]
        yield data
