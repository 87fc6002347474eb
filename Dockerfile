# The static program and nothing else:
#
#     make static && docker build -t limbic . && docker run --rm -v "$PWD:/photos" limbic \
#       predict /photos/model /photos/photo.jpg
#
# docker run -p 8080:8080 -v "$PWD:/photos" limbic serve /photos/model --host 0.0.0.0 --token-file /photos/token
FROM scratch
COPY build-static/limbic /limbic
WORKDIR /photos
ENTRYPOINT ["/limbic"]
CMD ["--help"]
