"""SQL means the same as in Debian's SQLite (version 3.40.1 of bookworm: `pragma compile_options`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget

pytestmark = pytest.mark.any_cpu("options of SQLite, and C code")

# Debian's options that a program can notice. OMIT_LOOKASIDE would make it slower.
OPTIONS = """
ENABLE_COLUMN_METADATA ENABLE_DBSTAT_VTAB ENABLE_FTS3 ENABLE_FTS3_PARENTHESIS ENABLE_FTS3_TOKENIZER ENABLE_FTS4
ENABLE_FTS5 ENABLE_MATH_FUNCTIONS ENABLE_PREUPDATE_HOOK ENABLE_RTREE ENABLE_SESSION ENABLE_STMTVTAB ENABLE_UNLOCK_NOTIFY
ENABLE_UPDATE_DELETE_LIMIT LIKE_DOESNT_MATCH_BLOBS MAX_VARIABLE_NUMBER=250000 SECURE_DELETE SOUNDEX THREADSAFE=1 USE_URI
"""

PROGRAM = """
import os, sqlite3, sys
d = sqlite3.connect(":memory:")
options = {r[0] for r in d.execute("pragma compile_options")}
assert not set(sys.argv[1:]) - options, options
d.execute("create virtual table t using fts4(x)")
d.execute("insert into t values('linux and sqlite')")
assert d.execute("select count(*) from t where t match 'linux AND sqlite'").fetchone() == (1,)
assert d.execute("select soundex('robert')").fetchone() == ("R163",)
d.execute("create table n(i)")
d.executemany("insert into n values(?)", [(i,) for i in range(9)])
assert d.execute("delete from n where i >= 0 order by i desc limit 2").rowcount == 2
assert d.execute("select max(i) from n").fetchone() == (6,)
d.execute("attach 'file:xyz?mode=memory' as y")
d.execute("pragma hard_heap_limit=3000000")
try:
    d.execute("select length(hex(zeroblob(20000000)))").fetchall()
except (MemoryError, sqlite3.Error):
    pass
else:
    raise SystemExit("hard_heap_limit does nothing")
assert os.listdir(".") == [], os.listdir(".")
"""


def test_sql_of_debian(target: BuiltTarget, tmp_path: Path) -> None:
    assert target.run("-c", PROGRAM, *OPTIONS.split(), cwd=tmp_path) == ""
