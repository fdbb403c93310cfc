// What moe-run does, one function for each kind of work.
#pragma once
#include "run_options.h"
#include "tool_error.h"

namespace moert::tools {

ProgramHandle openProgram(const RunOptions &options);
moert_session_options_t getSessionOptions(const RunOptions &options);

// Runs once, or repeatedly with --repeat-for; writes or lists the outputs.
void runOnce(const moert_program_t *program, const moert_session_options_t &session, const RunOptions &options);
void generate(const moert_program_t *program, const moert_session_options_t &session, const RunOptions &options);
void bench(const moert_program_t *program, const moert_session_options_t &session, const RunOptions &options);

// The whole tool; returns the exit status.
int moeRunMain(int argc, char **argv);

} // namespace moert::tools
