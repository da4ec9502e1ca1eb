"""After a test that commits, the database as it was migrated: Django's flush empties a hundred tables, and then has every
app write its first rows anew, which is most of the time of many such tests.

SQLite: the pages of the file that was migrated. PostgreSQL, where the server is our own: a function beside the tables
that takes away what is there and puts back the first rows. Sequences go on, as with a flush. A test that has changed the
schema itself (taken a trigger or an index away) leaves the emptying to Django.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3

from django.db import connection, transaction

from tests.postgres import OWN_SERVER

_kept: dict[str, str] = {}  # of the database, by its name: where its first rows are (SQLite), or what it looks like

# Whatever can be taken away or altered of it: triggers, functions, views, indexes, columns and constraints.
_LOOKS = """
SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM (
  SELECT concat_ws(' ', 'trigger', tgrelid, tgname, tgenabled, tgfoid) AS line FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT concat_ws(' ', 'constraint', conrelid, conname, condeferred, convalidated) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', 'function', oid, md5(prosrc)) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', 'relation', oid, relname, relkind, relnatts) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
) AS lines
"""
_KEEP = """
CREATE SCHEMA kept;
DO $$ DECLARE name text; filled boolean; body text := ''; BEGIN
  FOR name IN SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
      AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1 LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO filled;
    IF filled THEN
      EXECUTE format('CREATE TABLE kept.%s AS TABLE %s', name, name);
      body := body || format('DELETE FROM %s; INSERT INTO %s TABLE kept.%s; ', name, name, name);
    ELSE
      body := body || format('IF EXISTS (SELECT FROM %s) THEN DELETE FROM %s; END IF; ', name, name);
    END IF;
  END LOOP;
  EXECUTE format('CREATE FUNCTION kept.restore() RETURNS void LANGUAGE plpgsql AS %L', 'BEGIN ' || body || 'END');
END $$;
"""


def keep(file: str) -> None:
    """Remember the database, which has just been migrated; ``file`` is a copy of it where it is SQLite."""
    if connection.vendor == "sqlite":
        _kept[str(connection.settings_dict["NAME"])] = file
    elif OWN_SERVER in os.environ:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'kept'")
            if not cursor.fetchone():
                cursor.execute(_KEEP)
        _kept[connection.settings_dict["NAME"]] = _looks()


def put_back() -> bool:
    """False: somebody else has to do it."""
    was = _kept.get(str(connection.settings_dict["NAME"]))
    if was is None or connection.in_atomic_block:
        return False
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with contextlib.closing(sqlite3.connect(was)) as source:
            source.backup(connection.connection, sleep=0.05)
        return True
    if _looks() != was:
        return False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # neither triggers nor foreign keys
        cursor.execute("SELECT kept.restore()")
    return True


def _looks() -> str:
    with connection.cursor() as cursor:
        cursor.execute(_LOOKS)
        return str(cursor.fetchone()[0])
