"""Strategies for identifiers: the documented alphabet and the odd names that peers keep alive."""

from __future__ import annotations

from hypothesis import strategies as st

from gateway.xroad.identifiers import ClientId, MemberId, SecurityServerId, ServiceId, SubsystemId

# Any text an XML document and a header can hold; blank components are refused, so there is one letter at least.
_LETTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="￾￿")
codes: st.SearchStrategy[str] = st.text(_LETTERS, min_size=1, max_size=20).filter(lambda text: bool(text.strip()))

members: st.SearchStrategy[MemberId] = st.builds(MemberId, codes, codes, codes)
subsystems: st.SearchStrategy[SubsystemId] = st.builds(SubsystemId, members, codes)
clients: st.SearchStrategy[ClientId] = members | subsystems
services: st.SearchStrategy[ServiceId] = st.builds(ServiceId, clients, codes, st.none() | codes)
rest_services: st.SearchStrategy[ServiceId] = st.builds(ServiceId, subsystems, codes)
servers: st.SearchStrategy[SecurityServerId] = st.builds(SecurityServerId, members, codes)
