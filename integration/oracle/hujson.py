"""HuJSON: JSON with comments and one trailing comma, nothing else relaxed."""

import json


class BadText(ValueError):
    pass


class Members(dict):
    """An object of the text in its order; a name that comes twice is refused."""

    def __init__(self, pairs):
        super().__init__()
        for name, value in pairs:
            if name in self:
                raise BadText(f"duplicate member {name!r}")
            self[name] = value


def standardise(text):
    """Comments and trailing commas become blanks, so that every place stays where it was."""
    out, i, comma, before = list(text), 0, None, ""
    while i < len(text):
        c = text[i]
        if c == '"':
            i = end_of_string(text, i)
            comma, before = None, '"'
            continue
        if text.startswith("//", i):
            end = text.find("\n", i)
            end = len(text) if end < 0 else end
            out[i:end] = " " * (end - i)
            i = end
            continue
        if text.startswith("/*", i):
            end = text.find("*/", i + 2)
            if end < 0:
                raise BadText("a comment without end")
            out[i:end + 2] = ["\n" if x == "\n" else " " for x in text[i:end + 2]]
            i = end + 2
            continue
        if c not in " \t\r\n":
            if c in "}]" and comma is not None:
                out[comma] = " "
            comma = i if c == "," and before not in ("", ",", "{", "[", ":") else None
            before = c
        i += 1
    return "".join(out)


def end_of_string(text, i):
    i += 1
    while i < len(text) and text[i] != '"':
        i += 2 if text[i] == "\\" else 1
    return i + 1


def constant(name):
    raise BadText(f"{name} is no number")


def read(text):
    try:
        return json.loads(standardise(text), object_pairs_hook=Members, parse_constant=constant)
    except (ValueError, RecursionError) as e:
        raise BadText(str(e)) from e
