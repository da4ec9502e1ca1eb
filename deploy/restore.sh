#!/bin/sh
# Restore a backup into an EMPTY database and prove it: checksums, migrations, books, audit log up to the head beside it.
#
#   DATABASE_URL=... deploy/restore.sh FOLDER/NAME
#
# DATABASE_URL is where to: a database that exists and is empty, or the path of a SQLite file that does not exist.
# Exit 0: restored and proven. The site's other variables (SECRET_KEY or AUDIT_SIGNING_KEY) must be those of the backup.
set -eu
umask 077
backup=${1:?"a backup that backup.sh wrote"}
project=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$project/.venv/bin/python}
url=${DATABASE_URL:?"DATABASE_URL is not set"}
# What is migrated and proven below is this database, whatever .env or a NAME_FILE says of the live one; and what was signed
# after the backup is not in it.
export DATABASE_URL DATABASE_DIRECT_URL="$url" DATABASE_URL_FILE= DATABASE_DIRECT_URL_FILE= DATABASE_POOLED=0
export AUDIT_HEADS_FILE=
if [ -f "$backup/heads.ndjson" ]; then AUDIT_HEADS_FILE=$(cd "$backup" && pwd)/heads.ndjson; fi

(cd "$backup" && sha256sum --quiet --check SHA256SUMS)
case $url in sqlite:*) copy=database.sqlite3 kind=SQLite ;; *) copy=database.dump kind=PostgreSQL ;; esac
if [ ! -f "$backup/$copy" ]; then echo "DATABASE_URL is of $kind, and $backup holds no $copy" >&2; exit 1; fi
if [ "$kind" = SQLite ]; then
  file=${url#sqlite:///}
  if [ -e "$file" ]; then echo "$file is there already" >&2; exit 1; fi
  cp "$backup/$copy" "$file"
else
  eval "$(printf '%s' "$url" | "$python" "$project/deploy/pg_environment.py")"
  export PGOPTIONS="${PGOPTIONS:--c statement_timeout=0}" # the proof takes as long as it takes
  tables=$(psql -XAtc "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
  if [ "$tables" != 0 ]; then echo "the database has $tables tables already" >&2; exit 1; fi
  pg_restore --exit-on-error --no-owner --no-acl --single-transaction --dbname="$PGDATABASE" "$backup/$copy"
fi
newer=$("$python" "$project/manage.py" check_upgrade --format json | "$python" -c 'import json, sys; print(*json.load(sys.stdin)["unknown"])')
if [ -n "$newer" ]; then
  echo "the backup is of a newer version, which this one cannot prove; restore it with that one. Not known here: $newer" >&2; exit 1
fi
"$python" "$project/manage.py" migrate --noinput -v0
"$python" "$project/manage.py" check_books
"$python" "$project/manage.py" verify_audit --head "$backup/head.json"
