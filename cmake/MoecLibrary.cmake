# moec_library(NAME SOURCES … [DEPENDS …] [LINK …] [NO_PCH]): a static library of compiler code.
# One precompiled header serves all of them; it holds only MLIR headers, which cost seconds in every file.
add_library(moec_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(moec_pch PUBLIC moec_llvm)
target_precompile_headers(moec_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.h)
set(MOEC_COMPILE_OPTIONS -fno-exceptions -Wall -Wextra -Wno-unused-parameter -Werror=return-type
  -Wno-missing-field-initializers)
target_compile_options(moec_pch PRIVATE ${MOEC_COMPILE_OPTIONS} -fPIC)

function(moec_library name)
  cmake_parse_arguments(ARG "NO_PCH" "" "SOURCES;DEPENDS;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include)
  target_link_libraries(${name} PUBLIC moec_llvm ${ARG_LINK})
  if(NOT ARG_NO_PCH)
    target_precompile_headers(${name} REUSE_FROM moec_pch)
    target_compile_options(${name} PRIVATE ${MOEC_COMPILE_OPTIONS} -fPIC)
  endif()
  add_dependencies(${name} moec_headers ${ARG_DEPENDS})
endfunction()

# moec_tool(NAME SOURCES … LINK …): an executable of a few dozen lines over the libraries.
function(moec_tool name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  target_compile_options(${name} PRIVATE ${MOEC_COMPILE_OPTIONS})
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()
