# The image of a release: the static binary of its archive, unpacked to amd64/ or arm64/. The workflow release.yml
# builds it. deploy/Dockerfile builds an image from the sources instead.
# The base holds certificate authorities and time zones, no shell; the image runs as the user nonroot.
FROM gcr.io/distroless/static-debian12:nonroot
ARG TARGETARCH
COPY $TARGETARCH/tickerd /usr/local/bin/tickerd
COPY $TARGETARCH/LICENSE* /usr/share/doc/tickerd/
# Loopback inside a container is reachable from nowhere else.
ENV HOST=0.0.0.0
EXPOSE 3000
ENTRYPOINT ["tickerd"]
CMD ["serve", "--migrate"]
