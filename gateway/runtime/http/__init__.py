"""HTTP/1.1 of the message ports: server and client, streaming both ways, strict about framing (RFC 9110, RFC 9112).

    problems.py     what can go wrong, one family
    model.py        limits, requests' and responses' plain facts
    framing.py      how bodies are framed; refuses what could be read two ways
    heads.py        request and response heads from bytes, as strictly
    writing.py      heads and bodies to bytes
    streams.py      a body on its way in, with back-pressure
    pace.py         coarse timers over many connections
    request.py      what a handler is given
    connection.py   one connection of the server
    server.py       listening sockets and the bounds on callers
    connecting.py   names to sockets; the fastest of several addresses
    calling.py      one connection of the client
    pool.py         idle connections of the client
    client.py       requests: taking or opening a connection, asking the hook

Nothing here knows what the messages mean.
"""
