#!/bin/sh
# One backup: the database, and a head of the audit log that says what it must contain. Nightly by hpcbilling-backup.timer.
#
#   deploy/backup.sh FOLDER [DAYS]     keep DAYS (30) of them
#
# Reads DATABASE_DIRECT_URL or DATABASE_URL and the site's other variables. Copy FOLDER to another machine: a backup beside
# the database is none. FOLDER/NAME/ then has: database.dump (pg_dump -Fc) or database.sqlite3, head.json, SHA256SUMS.
set -eu
umask 077
folder=${1:?"a folder to write backups to"} days=${2:-30}
project=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$project/.venv/bin/python}
url=${DATABASE_DIRECT_URL:-${DATABASE_URL:?"DATABASE_URL is not set"}}
name=$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$folder"
part=$folder/.$name.part
rm -rf "$part" && mkdir "$part"

# The head first: whatever it names is in the copy that is taken after it.
"$python" "$project/manage.py" seal_audit --out "$part/head.json" >/dev/null
case $url in
  sqlite:*)
    "$python" - "${url#sqlite:///}" "$part/database.sqlite3" <<'PY'
import re, sqlite3, sys
with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as source, sqlite3.connect(sys.argv[2]) as copy:
    source.backup(copy)
    copy.execute("PRAGMA journal_mode=DELETE")
    # Django's own function, which constraints call.
    copy.create_function("REGEXP", 2, lambda pattern, text: text is not None and re.search(pattern, str(text)) is not None)
    if copy.execute("PRAGMA integrity_check").fetchone() != ("ok",):
        sys.exit("the copy is damaged")
PY
    ;;
  *)
    # libpq reads the address from the environment: it is in no list of processes.
    eval "$(printf '%s' "$url" | "$python" "$project/deploy/pg_environment.py")"
    pg_dump --format=custom --no-owner --no-acl --file="$part/database.dump"
    pg_restore --list "$part/database.dump" >/dev/null
    ;;
esac
if [ -n "${AUDIT_HEADS_FILE:-}" ] && [ -f "$AUDIT_HEADS_FILE" ]; then cp "$AUDIT_HEADS_FILE" "$part/heads.ndjson"; fi
(cd "$part" && sha256sum -- * >SHA256SUMS)
sync
mv "$part" "$folder/$name"
find "$folder" -mindepth 1 -maxdepth 1 -type d -name '20*Z' -mtime "+$days" -exec rm -rf {} +
echo "$folder/$name"
