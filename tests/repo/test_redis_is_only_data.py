"""What is read from Redis is data: nothing there is unpickled, and nothing there says which function is called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "ogel").rglob("*.py"))
# Modules whose reading runs what is read.
EXECUTING = {
    "pickle",
    "_pickle",
    "cPickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "jsonpickle",
    "joblib",
}
# RQ's classes that read jobs, or hand a serializer to those that do; without one they take pickle.
READERS = {
    "Queue", "Job", "Worker", "SimpleWorker", "SpawnWorker", "BaseWorker", "WorkerPool", "RQScheduler", "Result",
}  # fmt: skip
# Methods of theirs that read jobs with a serializer they choose, or do what a job says.
BELIEVING = {
    "fetch_job", "fetch_many", "from_queue_key", "get_jobs", "get_jobs_to_queue", "enqueue_jobs", "enqueue_job",
    "find_by_key", "perform_job", "dequeue_any", "clean_registries", "run_maintenance_tasks",
    "return_value", "latest_result", "import_attribute", "requeue", "handle_job_failure", "with_scheduler",
}  # fmt: skip
# Where a serializer is fixed in __init__, so that its users need not say it.
FIXED = {"Order", "_EntryJob"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(module: ast.Module) -> Iterator[tuple[str, str]]:
    """(module, name) of everything imported, wherever it stands; the name is the module's own for `import x`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name, alias.asname or alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.module, alias.name) for alias in node.names)


def uses_rq(module: ast.Module) -> bool:
    return any(name.partition(".")[0] in ("rq", "rq_scheduler") for name, _ in imports(module))


RQ_FILES = [path for path in FILES if "rq" in path.read_text() and uses_rq(tree(path))]


def test_nothing_imports_what_runs_what_it_reads() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in FILES
        for name, imported in imports(tree(path))
        if name.partition(".")[0] in EXECUTING or imported in ("PickleSerializer", "DefaultSerializer")
    }
    assert found == set()


def test_rq_is_known_to_few() -> None:
    assert {str(path.relative_to(ROOT / "ogel" / "adapters")).split("/")[0] for path in RQ_FILES} == {
        "rq_bell", "rq_clock.py", "rq_commands.py", "rq_horses",
    }  # fmt: skip


@pytest.mark.parametrize("path", RQ_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_reader_of_jobs_reads_json(path: Path) -> None:
    module = tree(path)
    assert list(made_without_json(module)) == []
    believing = {
        node.attr if isinstance(node, ast.Attribute) else node.arg
        for node in ast.walk(module)
        if (isinstance(node, ast.Attribute) and node.attr in BELIEVING)
        or (isinstance(node, ast.keyword) and node.arg in BELIEVING)
    }
    assert believing == set()


def made_without_json(module: ast.Module) -> Iterator[str]:
    """Each call that makes one of RQ's readers, or of our own, and names no serializer of ours."""
    for node in ast.walk(module):
        makes = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READERS
        if makes and not names(node, "serializer", "JSONSerializer"):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.ClassDef):
            bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
            if bases & READERS and not initialized(node, "serializer", {"JSONSerializer"}):
                yield f"line {node.lineno}: class {node.name}"
            if "Scheduler" in bases and not initialized(node, "job_class", FIXED):
                yield f"line {node.lineno}: class {node.name}"


def initialized(class_: ast.ClassDef, argument: str, values: set[str]) -> bool:
    """By its `super().__init__(…, argument=value)`."""
    calls = [
        node
        for node in ast.walk(class_)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__"
    ]
    return bool(calls) and all(any(names(call, argument, value) for value in values) for call in calls)


def names(call: ast.Call, argument: str, value: str) -> bool:
    return any(each.arg == argument and ast.unparse(each.value) == value for each in call.keywords)


@pytest.mark.parametrize(
    "careless",
    [
        "from rq import Queue\nQueue('x', connection=c)",
        "from rq import Queue\nQueue('x', connection=c, serializer=None)",
        "from rq import SimpleWorker\nclass W(SimpleWorker):\n    pass",
        "from rq.job import Job\nclass J(Job):\n    def __init__(self):\n        super().__init__('x', c)",
        "from rq_scheduler import Scheduler\nclass S(Scheduler):\n    def __init__(self):\n        super().__init__()",
    ],
)
def test_the_walk_finds_what_it_looks_for(careless: str) -> None:
    assert uses_rq(ast.parse(careless))
    assert list(made_without_json(ast.parse(careless)))


def test_a_function_is_looked_up_in_one_place_and_for_declared_kinds() -> None:
    """`horse.py` imports the target of an isolated kind: what the worker told the helper, not what Redis says."""
    looking = {path.name for path in RQ_FILES if any(name == "importlib" for name, _ in imports(tree(path)))}
    assert looking == set()
    horse = (ROOT / "ogel" / "adapters" / "rq_horses" / "horse.py").read_text()
    assert horse.count("import_module(") == 1 and 'kind["target"]' in horse
