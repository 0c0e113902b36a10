"""Strategies for the paths of REST calls, and for other spellings of the same path."""

from __future__ import annotations

import re

from hypothesis import strategies as st

_UNRESERVED = "ABCXYZabcxyz019-._~"
_OTHERS = "!$&'()*+,;=:@"
_ESCAPED = [f"%{code:02X}" for code in (0x20, 0x25, 0x2A, 0x2F, 0x3A, 0x3B, 0x3F, 0x5C, 0xFF)] + ["%D0%84", "%C3%A9"]
_PIECE = re.compile(r"%[0-9A-Fa-f]{2}|.", re.DOTALL)

pieces: st.SearchStrategy[str] = (
    st.sampled_from([*_UNRESERVED]) | st.sampled_from([*_OTHERS]) | st.sampled_from(_ESCAPED) | st.just("/")
)
service_paths: st.SearchStrategy[str] = st.lists(pieces, max_size=14).map(lambda many: "/" + "".join(many))


@st.composite
def spellings_of(draw: st.DrawFn, path: str) -> str:
    """An equivalent spelling (RFC 3986 6.2.2): digits of escapes in any case, unreserved characters escaped or not."""
    spelled = []
    for piece in _PIECE.findall(path):
        if piece.startswith("%") and chr(int(piece[1:], 16)) not in _UNRESERVED:
            spelled.append(draw(st.sampled_from([piece.upper(), piece.lower()])))
        elif piece in _UNRESERVED:
            spelled.append(draw(st.sampled_from([piece, f"%{ord(piece):02X}", f"%{ord(piece):02x}"])))
        else:
            spelled.append(piece)
    return "".join(spelled)
