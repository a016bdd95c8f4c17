from __future__ import annotations

import signal
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.started_bots import StartedBot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.core.otlp_receiver import OtlpReceiver

    Start = Callable[..., StartedBot]

ENGINES = ("native", "sdk")

BEGIN = """
import concurrent.futures, logging, multiprocessing, os, signal, sys, threading, time
import otel_trading as ot

def configure():
    global telemetry, done
    telemetry = ot.configure(shutdown_timeout=60, metric_interval=60)
    done = telemetry.meter.create_counter("bot.done")

def work(number=0):
    with telemetry.tracer.start_as_current_span("work"):
        logging.getLogger("bot").error("work")
        done.add(1)
    return number
"""


@pytest.fixture
def start(tmp_path: Path, receiver: OtlpReceiver) -> Start:
    """Start a bot that sends to the receiver."""
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    return lambda source, **variables: StartedBot(source, tmp_path, **{**endpoint, **variables})


def instance(resource: Any) -> str:
    """The id of the process that reports."""
    (found,) = {each.value.string_value for each in resource.attributes if each.key == "service.instance.id"}
    return str(found)


def work_done(receiver: OtlpReceiver) -> dict[str, tuple[int, int, int]]:
    """Spans, log records and the counter's last value, by the id of the process."""
    spans, logs, counts = Counter[str](), Counter[str](), defaultdict[str, int](int)
    for _, request in list(receiver.requests):
        for traces in getattr(request, "resource_spans", ()):
            spans[instance(traces.resource)] += sum(len(scope.spans) for scope in traces.scope_spans)
        for records in getattr(request, "resource_logs", ()):
            logs[instance(records.resource)] += sum(len(scope.log_records) for scope in records.scope_logs)
        for metrics in getattr(request, "resource_metrics", ()):
            for scope in metrics.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == "bot.done":
                        counts[instance(metrics.resource)] = sum(point.as_int for point in metric.sum.data_points)
    return {each: (spans[each], logs[each], counts[each]) for each in {*spans, *logs, *counts}}


def of_workers(receiver: OtlpReceiver) -> list[tuple[int, int, int]]:
    """What those who worked did, the least first."""
    return sorted(work for work in work_done(receiver).values() if work != (0, 0, 0))


PROCESSES = {
    "fork": """
configure()
work()
processes = [multiprocessing.get_context("fork").Process(target=work) for _ in range(3)]
""",
    "fork, imported afterwards": """
for name in [name for name in sys.modules if name.partition(".")[0] == "multiprocessing"]:
    del sys.modules[name]
configure()
work()
import multiprocessing
processes = [multiprocessing.get_context("fork").Process(target=work) for _ in range(3)]
""",
    "fork, configured there": """
def child():
    configure()
    work()
processes = [multiprocessing.get_context("fork").Process(target=child) for _ in range(4)]
""",
    "forked child of a child": """
def child():
    work()
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
configure()
processes = [multiprocessing.get_context("fork").Process(target=child) for _ in range(2)]
""",
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", PROCESSES)
def test_forked_processes_deliver_at_their_end(start: Start, receiver: OtlpReceiver, how: str, engine: str) -> None:
    """Each reports for itself, from zero; one that only forked, or was forked and did nothing, adds nothing."""
    rest = "for process in processes: process.start()\nfor process in processes: process.join()\n"
    check = "print([process.exitcode for process in processes])"
    with start(BEGIN + PROCESSES[how] + rest + check, OTEL_TRADING_ENGINE=engine) as bot:
        status, out, err = bot.ended()
    assert (status, set(out) - set("[], \n")) == (0, {"0"}), err
    assert of_workers(receiver) == [(1, 1, 1)] * 4


SPAWNED = """
if __name__ == "__main__":
    configure()
    work()
    context = multiprocessing.get_context("{method}")
    processes = [context.Process(target=child) for _ in range(2)]
    for process in processes: process.start()
    for process in processes: process.join()
    print([process.exitcode for process in processes])
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_processes_configure_themselves(start: Start, receiver: OtlpReceiver, method: str) -> None:
    """A process that began anew is a bot like any other; forkserver's end without atexit."""
    child = "def child():\n    configure()\n    work()\n"
    with start(BEGIN + child + SPAWNED.replace("{method}", method)) as bot:
        status, out, err = bot.ended()
    assert (status, out) == (0, "[0, 0]\n"), err
    assert of_workers(receiver) == [(1, 1, 1)] * 3


ENDINGS = {"sys.exit(3)": 3, "1 / 0": 1, "os.kill(os.getpid(), signal.SIGTERM); time.sleep(600)": -signal.SIGTERM}


@pytest.mark.parametrize("ending", ENDINGS)
def test_processes_that_end_badly(start: Start, receiver: OtlpReceiver, ending: str) -> None:
    """Their exit status is theirs, and what they made arrives."""
    source = f"""
def child():
    work()
    {ending}
configure()
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join()
print(process.exitcode)
"""
    with start(BEGIN + source) as bot:
        status, out, err = bot.ended()
    assert (status, out) == (0, f"{ENDINGS[ending]}\n"), err
    assert of_workers(receiver) == [(1, 1, 1)]


POOLS = {
    "executor": """
with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
    assert sorted(pool.map(work, range(20))) == list(range(20))
""",
    "pool that is closed": """
pool = multiprocessing.get_context("fork").Pool(2)
assert sorted(pool.map(work, range(20))) == list(range(20))
pool.close()
pool.join()
""",
    "pool that is terminated": """
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert sorted(pool.map(work, range(20))) == list(range(20))
pool.join()
""",
    "pool that recycles": """
with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=5) as pool:
    assert sorted(pool.map(work, range(20), chunksize=1)) == list(range(20))
    pool.close()
    pool.join()
""",
}


@pytest.mark.parametrize("how", POOLS)
def test_pools_lose_nothing(start: Start, receiver: OtlpReceiver, how: str) -> None:
    """Twenty tasks are twenty spans, records and counts, however the workers are ended."""
    with start(BEGIN + "configure()\n" + POOLS[how]) as bot:
        status, _, err = bot.ended()
    assert status == 0, err
    assert [sum(each) for each in zip(*of_workers(receiver), strict=True)] == [20, 20, 20]


def test_an_instance_id_that_was_given_is_the_parents_alone(start: Start, receiver: OtlpReceiver) -> None:
    """Two processes with the same one would overwrite each other's metrics."""
    source = """
configure()
work()
process = multiprocessing.get_context("fork").Process(target=work)
process.start()
process.join()
"""
    with start(BEGIN + source, OTEL_RESOURCE_ATTRIBUTES="service.instance.id=bot-1") as bot:
        assert bot.ended()[0] == 0
    done = work_done(receiver)
    assert len(done) == 2
    assert {*done.values()} == {(1, 1, 1)}
    assert "bot-1" in done


MASTER = """
configure()
workers = set()

def worker():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for _ in range(5):
        work()
    if os.fork() == 0:
        work()
        telemetry.shutdown()
        os._exit(0)
    os.wait()
    sys.exit(0)

for _ in range(12):
    if len(workers) == 3:
        pid, status = os.wait()
        assert status == 0, status
        workers.remove(pid)
    pid = os.fork()
    if pid == 0:
        worker()
    workers.add(pid)
while workers:
    pid, status = os.wait()
    assert status == 0, status
    workers.remove(pid)
work()
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_master_that_forks_its_workers_and_restarts_them(start: Start, receiver: OtlpReceiver, engine: str) -> None:
    """As gunicorn's: configured before the fork, workers come and go."""
    with start(BEGIN + MASTER, OTEL_TRADING_ENGINE=engine) as bot:
        status, _, err = bot.ended()
    assert status == 0, err
    assert of_workers(receiver) == [(1, 1, 1)] * 13 + [(5, 5, 5)] * 12


FORKS = """
configure()
stop = threading.Event()
made = [0] * 3

def trade(place):
    while not stop.is_set():
        work()
        telemetry.meter.create_counter("bot.other").add(1, {"n": made[place] % 50})
        logging.getLogger(f"bot.{made[place] % 50}").error("work")
        made[place] += 1
        time.sleep(0.001)

def child():
    work()
    telemetry.meter.create_histogram("bot.late").record(1)
    telemetry.tracer_provider.get_tracer("late").start_span("work").end()
    logging.getLogger("late").error("work")
    done.add(1)
    delivered = telemetry.flush(50)
    work()
    return delivered and telemetry.shutdown(50)

threads = [threading.Thread(target=trade, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
print("ready", flush=True)
forks = int(os.environ["FORKS"])
running, failed = set(), 0
for number in range(forks):
    while len(running) == 4:
        pid, status = os.wait()
        running.remove(pid)
        failed += status != 0
    pid = os.fork()
    if pid == 0:
        os._exit(0 if child() else 1)
    running.add(pid)
while running:
    pid, status = os.wait()
    running.remove(pid)
    failed += status != 0
stop.set()
for thread in threads:
    thread.join()
print(failed, sum(made), flush=True)
"""


@pytest.mark.timeout(600)
def test_five_hundred_forks_under_load(start: Start, receiver: OtlpReceiver) -> None:
    """Whatever three threads and the deliveries were in the middle of: no child hangs, every total is exact."""
    forks = 500
    fast = {
        "OTEL_BSP_SCHEDULE_DELAY": "5",
        "OTEL_BLRP_SCHEDULE_DELAY": "5",
        "OTEL_TRADING_SPAN_QUEUE_SIZE": "1000000",
        "OTEL_TRADING_LOG_QUEUE_SIZE": "1000000",
        "OTEL_TRADING_RUNTIME_ENABLED": "false",
        "FORKS": f"{forks}",
    }
    source = (BEGIN + FORKS).replace("metric_interval=60", "metric_interval=0.02")
    with start(source, **fast) as bot:
        bot.extend(500)
        bot.ready()
        status, out, err = bot.ended()
    assert status == 0, err
    failed, made = map(int, out.split())
    assert failed == 0
    done = of_workers(receiver)
    assert done[:-1] == [(3, 3, 3)] * forks
    assert done[-1] == (made, 2 * made, made)
