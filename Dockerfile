# tithe as a container. Build: docker build -t tithe . Run: see compose.yaml.
FROM node:24-bookworm-slim

# The fast curve; without it tithe falls back to WebAssembly. prlimit and setpriv, which bound the command
# backend, are part of the base image.
RUN apt-get update \
  && apt-get install -y --no-install-recommends libsecp256k1-1 ca-certificates \
  && rm -rf /var/lib/apt/lists/*

WORKDIR /app
# Dependencies first, so that a change of the source does not fetch them anew.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force
COPY bin ./bin
COPY migrations ./migrations
COPY src ./src

# The embedded database of the sandbox refuses to run as root, and nothing here needs to.
RUN mkdir /data && chown node:node /data
USER node
ENV NODE_ENV=production DATA_DIR=/data HTTP_HOST=0.0.0.0 HTTP_PORT=8787
VOLUME /data
EXPOSE 8787
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.HTTP_PORT + '/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node answers SIGTERM itself; run with --init, so that orphans of the command backend are reaped.
ENTRYPOINT ["node", "/app/bin/tithe.js"]
CMD ["start"]
