"""What stands in a pasted stack trace is recognised, in the languages that people run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blametrail.incidents.symptom import Recognised, recognise

PYTHON = """Traceback (most recent call last):
  File "/srv/shop/web/views.py", line 41, in checkout
    charge(order)
  File "/srv/shop/payments/retry.py", line 17, in charge
    gateway.post(order.total, idempotency_key=None)
  File "/srv/.venv/lib/python3.11/site-packages/httpx/_client.py", line 914, in post
    raise exc
payments.errors.GatewayTimeout: no answer from 'pay_gateway' in 3 s
"""
CHAINED = """Traceback (most recent call last):
  File "/srv/a.py", line 1, in outer
    inner()
KeyError: 'total'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/b.py", line 9, in handle
    fail()
shop.errors.OrderError: order 12 has no total
"""
NODE = """TypeError: Cannot read properties of undefined (reading 'total')
    at renderCart (/app/src/cart/render.ts:88:13)
    at async Promise.all (index 0)
    at async handler (file:///app/src/routes/cart.js:12:5)
    at process.processTicksAndRejections (node:internal/process/task_queues.js:95:5)
    at /app/node_modules/express/lib/router/layer.js:95:5
"""
JAVA = """Exception in thread "main" java.lang.IllegalStateException: pool is closed
\tat com.acme.shop.Pool.take(Pool.java:55)
\tat org.springframework.web.Dispatcher.run(Dispatcher.java:12)
Caused by: com.acme.db.ConnectionLostException: server closed the connection
\tat com.acme.db.Wire.read(Wire.kt:203)
\t... 12 more
"""
GO = """panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.(*Cart).Total(0xc000012345)
\t/home/build/shop/cart/total.go:27 +0x1d
net/http.HandlerFunc.ServeHTTP(0x0)
\t/usr/local/go/src/net/http/server.go:2122 +0x2f
"""
RUBY = """app/models/order.rb:21:in `total': undefined method `price' for nil (NoMethodError)
\tfrom app/controllers/carts_controller.rb:9:in `show'
\tfrom /usr/lib/ruby/gems/3.1.0/gems/rack-2.2.4/lib/rack/etag.rb:27:in `call'
"""
PHP = """PHP Fatal error:  Uncaught Error
#0 /var/www/shop/src/Cart.php(31): Shop\\Cart->total()
#1 /var/www/shop/vendor/symfony/Kernel.php(80): Kernel->handle()
"""
CSHARP = """System.NullReferenceException: Object reference not set to an instance of an object.
   at Shop.Cart.Total(Order order) in C:\\build\\Shop\\Cart.cs:line 19
"""
RUST = """thread 'main' panicked at 'called `Option::unwrap()` on a `None` value', src/cart.rs:12:5
stack backtrace:
   0: shop::cart::total
             at ./src/cart.rs:12:5
   1: core::ops::function::FnOnce::call_once
             at /rustc/abc/library/core/src/ops/function.rs:250:5
"""


@pytest.mark.parametrize(
    ("trace", "exception", "place", "theirs"),
    [
        (PYTHON, "payments.errors.GatewayTimeout", ("/srv/shop/payments/retry.py", 17, "charge"), 1),
        (NODE, "TypeError", ("/app/src/cart/render.ts", 88, "renderCart"), 2),
        (JAVA, "com.acme.db.ConnectionLostException", ("Pool.java", 55, "com.acme.shop.Pool.take"), 1),
        (GO, "panic", ("/home/build/shop/cart/total.go", 27, "main.(*Cart).Total"), 1),
        (RUBY, "NoMethodError", ("app/models/order.rb", 21, "total"), 1),
        (PHP, "", ("/var/www/shop/src/Cart.php", 31, "Shop\\Cart->total"), 1),
        (CSHARP, "System.NullReferenceException", ("C:\\build\\Shop\\Cart.cs", 19, "Shop.Cart.Total(Order order)"), 0),
        (RUST, "panic", ("./src/cart.rs", 12, "shop::cart::total"), 1),
    ],
    ids=["python", "node", "java", "go", "ruby", "php", "csharp", "rust"],
)
def test_it_recognises_a_stack_trace(trace: str, exception: str, place: tuple[str, int, str], theirs: int) -> None:
    found = recognise(stack_trace=trace)
    assert found.exception == exception
    innermost_of_ours = next(frame for frame in found.frames if frame.is_ours)
    assert (innermost_of_ours.path, innermost_of_ours.line, innermost_of_ours.function) == place
    assert sum(not frame.is_ours for frame in found.frames) == theirs


def test_it_takes_the_last_of_a_chain_of_exceptions() -> None:
    found = recognise(stack_trace=CHAINED)
    assert (found.exception, found.message) == ("shop.errors.OrderError", "order 12 has no total")
    assert {frame.path for frame in found.frames} == {"/srv/a.py", "/srv/b.py"}


def test_it_names_files_and_names_in_code() -> None:
    found = recognise(error_message="worker died in jobs/export.py: column 'order_total' is gone", stack_trace=PYTHON)
    assert "jobs/export.py" in found.files
    assert "/srv/shop/payments/retry.py" in found.files
    assert not any("site-packages" in path for path in found.files)
    assert {"GatewayTimeout", "charge", "checkout", "order_total", "pay_gateway"} <= set(found.identifiers)


def test_it_finds_traces_in_a_log() -> None:
    excerpt = "2026-11-20T10:00:00Z web INFO started\n" + PYTHON + "2026-11-20T10:00:01Z web INFO next request\n" + NODE
    found = recognise(log_excerpt=excerpt)
    assert [frame.function for frame in found.frames][:3] == ["post", "charge", "checkout"]
    assert any(frame.path.endswith("render.ts") for frame in found.frames)


def test_it_finds_nothing_in_nothing() -> None:
    assert recognise() == Recognised()


@given(st.text(max_size=2_000), st.text(max_size=2_000))
def test_it_stays_calm(trace: str, log: str) -> None:
    found = recognise(error_message=trace, stack_trace=trace, log_excerpt=log, endpoint=log)
    assert len(found.frames) <= 100
    assert len(found.files) <= 40
