"""What a registry needs to answer through a security server.

Declare the data as dataclasses (`fields`), write one function per operation, and hand it to a
`SoapService` and a `RestService`; `app.build_app` puts both behind one port. The functions get plain
facts (`context`), and neither XML nor HTTP. `client` is the other side: the one Python client.
"""
