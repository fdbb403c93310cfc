# Finds the ONNX library that scripts/setup builds from its source distribution against Debian's protobuf.
# MOEC_DEPS names the prefix it was installed to.
set(MOEC_DEPS "${CMAKE_SOURCE_DIR}/.deps" CACHE PATH "Prefix of the dependencies that scripts/setup builds")
find_package(Protobuf REQUIRED)
find_package(ONNX 1.23 REQUIRED CONFIG HINTS ${MOEC_DEPS})
