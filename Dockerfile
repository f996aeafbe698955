# One image for every service; the command says which one runs.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY libs/protocol/package.json libs/protocol/
COPY clients/sdk/package.json clients/sdk/
COPY clients/cli/package.json clients/cli/
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json nest-cli.json ./
COPY apps apps
COPY libs libs
COPY clients clients
COPY tools tools
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build --chown=root:root /app/package.json ./
COPY --from=build --chown=root:root /app/node_modules node_modules
COPY --from=build --chown=root:root /app/libs/protocol/package.json libs/protocol/
COPY --from=build --chown=root:root /app/clients clients
COPY --from=build --chown=root:root /app/dist dist
RUN install -d -o node -g node /app/dist/services/.cache
# A volume that is mounted here takes over the owner.
RUN install -d -o node -g node /var/lib/tidings/media /var/lib/tidings/spools
USER node
# What V8 compiles at a start is kept here for all others: the root of a container is not written to. Without
# settings each service ends at once with 78.
RUN for service in gateway session presence storage; do \
    node --max-semi-space-size=8 dist/services/$service.js 2>/dev/null; [ $? = 78 ] || exit 1; \
  done
ENTRYPOINT ["node", "--max-semi-space-size=8"]
CMD ["dist/services/gateway.js"]
