#!/bin/sh
# One backup: the database, and a head of the audit log that says what it must contain. Nightly by hpcbilling-backup.timer.
#
#   deploy/backup.sh FOLDER [DAYS]     keep DAYS (30) of them
#
# Run it as the site's user. Reads DATABASE_DIRECT_URL or DATABASE_URL and the site's other variables as the site does: from
# the environment, then from .env in the project's folder. Copy FOLDER to another machine: a backup beside the database is
# none. FOLDER/NAME/ then has: database.dump (pg_dump -Fc) or database.sqlite3, head.json, SHA256SUMS.
set -eu
umask 077
folder=${1:?"a folder to write backups to"} days=${2:-30}
project=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$project/.venv/bin/python}
addresses=$("$python" "$project/deploy/addresses.py")
eval "$addresses" # url, heads
# The head below is of this database, whatever else names one.
export DATABASE_URL="$url" DATABASE_DIRECT_URL="$url" DATABASE_URL_FILE= DATABASE_DIRECT_URL_FILE= DATABASE_POOLED=0
case $url in sqlite:*) if [ ! -f "${url#sqlite:///}" ]; then echo "${url#sqlite:///} is not there" >&2; exit 1; fi ;; esac
name=$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$folder"
# What a backup left that was killed: on a full disk no other one would ever find room.
find "$folder" -mindepth 1 -maxdepth 1 -type d -name '.20*Z.part' -mtime +1 -exec rm -rf {} +
part=$folder/.$name.part
mkdir "$part"
trap 'rm -rf "$part"' EXIT
trap 'exit 1' HUP INT TERM

# The heads first: whatever they name is in the copy that is taken after them, and others are signed while it is taken.
"$python" "$project/manage.py" seal_audit --out "$part/head.json" >/dev/null
if [ -n "$heads" ] && [ -f "$heads" ]; then cp "$heads" "$part/heads.ndjson"; fi
case $url in
  sqlite:*)
    "$python" - "${url#sqlite:///}" "$part/database.sqlite3" <<'PY'
import re, sqlite3, sys
try:
    with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as source, sqlite3.connect(sys.argv[2]) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        # Django's own function, which constraints call.
        copy.create_function("REGEXP", 2, lambda pattern, text: text is not None and re.search(pattern, str(text)) is not None)
        if copy.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            sys.exit("the copy is damaged")
except sqlite3.Error as error:
    sys.exit(f"the database cannot be copied: {error}")
PY
    ;;
  *)
    # libpq reads the address from the environment: it is in no list of processes.
    eval "$(printf '%s' "$url" | "$python" "$project/deploy/pg_environment.py")"
    pg_dump --format=custom --no-owner --no-acl --file="$part/database.dump"
    pg_restore --list "$part/database.dump" >/dev/null
    ;;
esac
(cd "$part" && sha256sum -- * >SHA256SUMS)
sync
mv "$part" "$folder/$name"
find "$folder" -mindepth 1 -maxdepth 1 -type d -name '20*Z' -mtime "+$days" -exec rm -rf {} +
echo "$folder/$name"
