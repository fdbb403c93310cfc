# Finds LLVM, MLIR and lld 22 as Debian packages them. Nothing else in the project knows where they are.
# The package has no useful component split for us: we link the shared libMLIR and libLLVM, both by name,
# because the MLIR target does not bring LLVM along.
find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
set(MLIR_BINARY_DIR ${CMAKE_BINARY_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)

separate_arguments(MOEC_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")
add_library(moec_llvm INTERFACE)
target_include_directories(moec_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_compile_definitions(moec_llvm INTERFACE ${MOEC_LLVM_DEFINITIONS})
target_link_libraries(moec_llvm INTERFACE MLIR LLVM)

add_library(moec_lld INTERFACE)
target_link_libraries(moec_lld INTERFACE
  ${LLVM_LIBRARY_DIR}/liblldELF.a ${LLVM_LIBRARY_DIR}/liblldCommon.a LLVM z zstd)
