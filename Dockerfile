# The server on stdin and stdout:
#   docker run -i --rm -e TELNYX_API_KEY -v telnyx-account-mcp:/state IMAGE
# A container has no browser: people approve in the client, or with `approve` on the same volume.
#
# The service for a team, which needs no volume and writes nothing (docs/service.md, deploy/):
#   docker run --read-only -p 8080:8080 -v ./service.toml:/service.toml:ro --env-file SECRETS IMAGE \
#     service --config /service.toml
# Its state is in PostgreSQL: set TELNYX_MCP_STATE_URL; with TELNYX_MCP_STATE_URL_FILE, set it empty. Whether it is alive:
#   HEALTHCHECK CMD ["telnyx-account-mcp", "service", "health", "--config", "/service.toml"]
# as in deploy/compose.yaml: not in here, as the server on stdin has no port to ask.

# The wheel, built with the hatchling that is locked; nothing else of this stage gets into the image.
FROM python:3.13-slim AS wheel
WORKDIR /build
COPY constraints.txt ./
RUN pip install --disable-pip-version-check --no-cache-dir --require-hashes -r constraints.txt
COPY pyproject.toml README.md LICENSE ./
COPY telnyx_mcp telnyx_mcp
COPY prompts prompts
RUN python -m hatchling build --target wheel --directory /wheel

FROM python:3.13-slim AS app
COPY requirements-service.txt ./
RUN python -m venv /app \
    && /app/bin/pip install --disable-pip-version-check --no-cache-dir --require-hashes \
        -r requirements-service.txt
COPY --from=wheel /wheel /wheel
RUN /app/bin/pip install --disable-pip-version-check --no-cache-dir --no-deps /wheel/*.whl

FROM python:3.13-slim
LABEL org.opencontainers.image.title="telnyx-account-mcp" \
    org.opencontainers.image.licenses="MIT" \
    io.modelcontextprotocol.server.name="io.github.telnyx-account-mcp/telnyx-account-mcp"
RUN useradd --uid 10001 --create-home server && mkdir /state && chown server /state
COPY --from=app /app /app
ENV PATH="/app/bin:$PATH" TELNYX_MCP_STATE_URL="sqlite:////state/state.sqlite3"
VOLUME /state
USER 10001
ENTRYPOINT ["telnyx-account-mcp"]
