import reflex as rx

class S(rx.State):
    n: int = 0
    @rx.event
    def pick(self, n: int):
        self.n = n + 100

class Probe(rx.Component):
    library = "$/public/probe.jsx"
    tag = "Probe"
    label: rx.Var[str]
    on_pick: rx.EventHandler[lambda n: [n]]

def index() -> rx.Component:
    return rx.el.main(rx.el.h1("hi"), Probe.create(label="x", on_pick=S.pick), rx.el.p(S.n), rx.icon("search"))

app = rx.App()
app.add_page(index, route="/")
