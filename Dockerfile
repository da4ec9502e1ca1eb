# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --require-hashes -r requirements.txt
WORKDIR /app
COPY . .
# Texts and static files are made here, so that the running container writes nothing but its data.
# The values below serve this step only (the key is made up and forgotten); the image holds no settings.
RUN /venv/bin/pybabel -q compile -D 'django djangojs' -d locale \
 && SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(64))') ALLOWED_HOSTS=build SITE_BASE_URL=https://build \
    /venv/bin/python manage.py collectstatic --noinput -v0

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 READ_DOT_ENV=0 PORT=8000
# TrueType, for documents in Thai.
RUN apt-get update && apt-get install -y --no-install-recommends fonts-thai-tlwg-ttf && rm -rf /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 app && useradd --system --uid 10001 --gid app --home-dir /app app \
 && install -d -o app -g app /var/lib/hpcbilling
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER app
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "deploy/healthcheck.py"]
# One process with threads: the counters of /metrics live in the process. Scale with more containers.
# --forwarded-allow-ips= : X-Forwarded-Proto counts with TRUSTED_PROXY_COUNT only, whoever connects.
CMD ["sh", "-c", "exec gunicorn hpcbilling.wsgi --bind 0.0.0.0:$PORT --workers 1 --threads ${THREADS:-8} --timeout 60 --graceful-timeout 30 --worker-tmp-dir /dev/shm --forwarded-allow-ips="]
