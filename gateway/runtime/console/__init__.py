"""What every web console needs: pages without script, sessions, forms that are safe, two languages.

An area makes a `ConsolePart` (`app.py`): a FastAPI `APIRouter` below a prefix, the roles that may see
it, its navigation, and the package whose `templates/<area>/` holds its pages. `console_app` joins the
parts into one ASGI application. A handler is: read the form, call the area's function, render or
redirect:

    router = APIRouter()

    @router.get("/")                                    # plain `def`: runs in a worker thread
    def search(request: Request) -> Response:
        who = visitor_of(request).principal             # accounts.model.Principal
        form = form_of_query(request)                   # GET; form_of(request) after a POST
        since = formats_of(request).read_time(form.text("since"))
        if form.text("since") and since is None:
            form.refuse("since", "audit.no_time")       # shown beside the field
        return page(request, "audit/search.html", form=form, found=…)

    @router.post("/reveal")                             # token and origin are checked before this runs
    def reveal(request: Request) -> Response:
        …
        return redirect(request, "/audit/…", say_id="audit.revealed", count=3)

    part = ConsolePart("/audit", router, "gateway.auditing.console", roles=("AUDITOR",),
                       navigation=(NavItem("/audit/", "audit.navigation", ("AUDITOR",)),))

Helpers: `page redirect download say visitor_of form_of formats_of here_of safe_path
PageError(status, text_id, **facts)` in `pages.py`, where the names stand that templates may use, and
`form_of_query` in `forms.py`. Macros in `templates/macros.html` (`{% import "macros.html" as ui with
context %}`): `post get field textarea select checkbox errors table row cell time facts pages mark notice
progress`. There is no inline style and no inline script: the policy forbids both. A part that is `scripted` may load
scripts from its `static` folder; a page that fills itself still works without them.

Long work: `page(…, refresh_s=3)` and `ui.progress(label, done, total)`.
A program for one person: `console_app(Console(OneVisitor(principal), …, signs_in=False, secure=False,
parts=[entrance(one), …]))` and print `/enter?key={one.key}`.
"""
