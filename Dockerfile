# syntax=docker/dockerfile:1
#
#   docker build -t gopoll .                 a small image with the examples
#   docker run --rm gopoll                   what cgo costs on this machine
#   docker run --rm -p 7777:7777 gopoll echo -listen :7777
#   docker build --target test .             runs all that CI runs on Linux

FROM golang:1.26-bookworm AS base
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download

# What the tests need besides Go and gcc changes seldom: a layer of its own.
FROM base AS test
COPY .ci .ci
RUN .ci/setup
COPY . .
RUN .ci/run

# cgo's programs, linked statically: the image needs no C library.
FROM base AS build
COPY . .
RUN mkdir -p /out/bin /out/tmp && chmod 1777 /out/tmp \
 && CGO_ENABLED=1 go build -trimpath -tags netgo,osusergo \
      -ldflags '-s -w -linkmode external -extldflags -static' -o /out/bin/ \
      ./examples/cgocost ./examples/copy ./examples/echo ./examples/httpd ./examples/minimio

FROM scratch
COPY --from=build /out/ /
COPY LICENSE /LICENSE
ENV PATH=/bin
USER 65532:65532
EXPOSE 7777
# No entry point: whatever follows the image's name is one of /bin's programs.
CMD ["cgocost"]
