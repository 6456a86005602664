# The daemon with its compiler and emulator. The Debian packages are the product's of scripts/packages.json (a test compares them).
FROM node:24-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      gcc \
      libc6-dev \
      gcc-arm-none-eabi \
      libnewlib-arm-none-eabi \
      qemu-system-arm \
      gcc-riscv64-unknown-elf \
      picolibc-riscv64-unknown-elf \
      qemu-system-misc \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/microtune
# Packages first: they change less often than sources. This Node runs the sources as they are, so none of the tools are needed.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && mkdir -p /data && chown node /data
COPY . .
USER node
VOLUME /data
EXPOSE 8710
# Inside the container it must listen on all interfaces; docker-compose.yml publishes the port on 127.0.0.1 only, so nothing goes
# over a network in the clear. It asks for tokens: docker compose run --rm microtune node bin/microtune.js token add me --scope admin --data /data
CMD ["node", "bin/microtune.js", "serve", "--host", "0.0.0.0", "--plain-http", "--port", "8710", "--data", "/data"]
