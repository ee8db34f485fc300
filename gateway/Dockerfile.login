# The browser of the container `login`: Chromium and the service that the gateway asks for a visit. Build it from the
# repository's root:
#     docker build -f gateway/Dockerfile.login .

# As in gateway/Dockerfile, so that both share it.
FROM debian:bookworm-slim AS python
RUN apt-get update \
    && apt-get install -y --no-upgrade --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /usr/share/doc/* /usr/share/man/* \
    && find /var/log -type f -delete

# Two fonts: Latin letters, and Chinese, Japanese and Korean ones; libatomic1 is for Playwright's Node.js,
# and tini reaps what Chromium leaves behind. Nobody looks at what is drawn, and there is no graphics
# card: the drivers, their compiler, the icons of dialogs and the translations of menus are a quarter of it all.
FROM python AS runtime
RUN apt-get update \
    && apt-get install -y --no-upgrade --no-install-recommends \
        chromium fonts-dejavu-core fonts-wqy-zenhei libatomic1 tini \
    && rm -rf /usr/lib/*-linux-gnu/dri /usr/lib/*-linux-gnu/libLLVM-* /usr/lib/*-linux-gnu/libz3.so.* \
        /usr/share/icons/Adwaita /usr/share/locale/* \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /usr/share/doc/* /usr/share/man/* \
    && find /var/log -type f -delete

# Changes with the lock only, and so does the layer that is copied from it.
FROM python AS dependencies
RUN apt-get update \
    && apt-get install -y --no-upgrade --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_PROGRESS_BAR=off
# For a mirror of one's own; they stay in this stage.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
WORKDIR /src
COPY requirements/build.txt requirements/login.txt requirements/
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --quiet --require-hashes -r requirements/build.txt \
    && python3 -m venv --without-pip /opt/lingma \
    && /opt/build/bin/pip --python /opt/lingma/bin/python install --quiet --require-hashes -r requirements/login.txt \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/lingma/lib

FROM dependencies AS package
COPY pyproject.toml README.md ./
COPY operator operator
COPY gateway gateway
RUN /opt/build/bin/pip wheel --quiet --no-build-isolation --no-deps --wheel-dir /tmp/wheel . \
    && /opt/build/bin/pip --python /opt/lingma/bin/python install --quiet --no-index --no-deps --root /stage /tmp/wheel/*.whl \
    && cd /stage/opt/lingma \
    && rm -r lib/python3.*/site-packages/lingma_operator lib/python3.*/site-packages/lingma_router \
        lib/python3.*/site-packages/lingma_sim bin/lingma-operator bin/lingma-gateway bin/lingma-router bin/lingma-sim \
    && python3 -m compileall -q --invalidation-mode unchecked-hash -s /stage lib

FROM runtime
COPY --from=dependencies /opt/lingma /opt/lingma
COPY --from=package /stage/opt/lingma /opt/lingma
ENV PATH=/opt/lingma/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="lingma-login" \
    org.opencontainers.image.description="The browser of lingma-operator that logs an account in" \
    org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
WORKDIR /
CMD ["tini", "--", "lingma-login"]
