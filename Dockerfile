# One image for every process. `docker run IMAGE` is `ogel up`, `docker run IMAGE keys create` is that command, and
# entrypoints/ holds one executable per process of a larger deployment.

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app

# Headers, static libraries and test suites are of no use to a process.
COPY requirements.lock requirements-build.lock ./
RUN pip install --require-hashes -r requirements-build.lock \
 && pip wheel --no-build-isolation --no-deps --require-hashes -r requirements.lock --wheel-dir wheels \
 && python -m venv --without-pip .venv \
 && pip --python .venv install --no-compile --no-index --no-deps wheels/*.whl \
 && find .venv/lib -type d \( -name SelfTest -o -name tests -o -name pgxs -o -path '*/pginstall/include' \) -prune -exec rm -r {} + \
 && find .venv/lib -type f \( -name '*.a' -o -name '*.pyx' -o -name '*.pxd' \) -delete \
 && .venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash .venv/lib

# Beside sql/, as in a checkout, and apart from .venv: that large layer then changes only with the lock file.
COPY pyproject.toml README.md ./
COPY ogel ogel
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python .venv install --no-compile --no-deps --target suite dist/*.whl \
 && .venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash suite


FROM python:3.13-slim

# PostgreSQL looks up who runs it, so the user needs a name.
RUN groupadd --gid 10001 ogel \
 && useradd --no-log-init --uid 10001 --gid ogel --home-dir /data --no-create-home --shell /usr/sbin/nologin ogel \
 && install --directory --owner=ogel --group=ogel --mode=0700 /data

WORKDIR /app
COPY --from=build /app/.venv .venv
COPY --from=build /app/suite ./
COPY sql sql
COPY entrypoints entrypoints

# `::` takes IPv4 as well: Railway's private network may be IPv6 only, its public edge need not be.
ENV PATH=/app/bin:/app/.venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OGEL_DATA_DIR=/data \
    OGEL_HOST=:: \
    PORT=8080

# Which commit this is, and when it was made, where whoever builds it says so; on Railway, a build of a repository knows by itself.
ARG OGEL_COMMIT=""
ARG OGEL_COMMITTED_AT=""
ENV OGEL_COMMIT=$OGEL_COMMIT OGEL_COMMITTED_AT=$OGEL_COMMITTED_AT

USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["ogel", "healthcheck"]
ENTRYPOINT ["ogel"]
CMD ["up"]
