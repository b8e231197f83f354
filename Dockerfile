# The server as one static binary in an image without shell or package manager.
#
#	docker run -p 8080:8080 -e DATABASE_URL=postgres://… -e SPLITCAST_BOOTSTRAP_TOKEN=… splitcast
#
# DATABASE_URL is required: the private PostgreSQL of `splitcast serve` needs
# PostgreSQL's programs, which are deliberately not in the image. Probe
# /healthz for life and /readyz for readiness; `splitcast probe` asks the latter.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The context has no .git, so there is no revision to stamp.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /out/splitcast . \
    && mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.title="Splitcast" \
      org.opencontainers.image.description="Experimentation for live video: sequential tests valid at any look" \
      org.opencontainers.image.source="https://github.com/splitcast/splitcast" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/splitcast /usr/local/bin/splitcast
COPY --from=build /src/LICENSE /usr/share/doc/splitcast/LICENSE
# The last good configuration, so that assignment survives a restart without
# the database.
COPY --from=build --chown=65532:65532 /out/data /data
ENV SPLITCAST_DATA=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["splitcast", "probe"]
ENTRYPOINT ["splitcast", "serve", "--addr", "0.0.0.0:8080"]
