# Installs the runtime to a temporary prefix, builds the examples against it and runs them. Variables: BUILD (of the
# project), SOURCE (of the examples), WORK (a folder), MODELS (where write_test_models has written), GENERATOR, C and CXX.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGV}\nfailed with ${status}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix --component runtime)
run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE} -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_C_COMPILER=${C}
  -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${WORK}/build)

run(${WORK}/build/run_model ${MODELS}/copy.moe)
if(NOT output MATCHES "input x: f32 \\[ batch 3 \\]\noutput y: f32 \\[ 1 3 \\]")
  message(FATAL_ERROR "run_model printed:\n${output}")
endif()
run(${WORK}/build/continue_text ${MODELS}/successor.moe abc 4)
if(NOT output STREQUAL "defg\nABCD\n")
  message(FATAL_ERROR "continue_text printed:\n${output}")
endif()

# The same with pkg-config instead of CMake.
find_program(PKG_CONFIG pkg-config REQUIRED)
file(GLOB_RECURSE pc ${WORK}/prefix/moert.pc)
get_filename_component(pc_folder ${pc} DIRECTORY)
set(ENV{PKG_CONFIG_PATH} ${pc_folder})
run(${PKG_CONFIG} --cflags --libs moert)
separate_arguments(flags UNIX_COMMAND "${output}")
run(${C} ${SOURCE}/run_model.c ${flags} -o ${WORK}/run_model_pc)
get_filename_component(lib_folder ${pc_folder} DIRECTORY)
set(ENV{LD_LIBRARY_PATH} ${lib_folder})
run(${WORK}/run_model_pc ${MODELS}/copy.moe)
