// How the tools fail: an exception that main turns into a message and exit status 1.
#pragma once
#include "moert/moert.h"

#include <memory>
#include <stdexcept>
#include <string>

namespace moert::tools {

struct ToolError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws what the runtime says about a call that failed.
inline void check(moert_status_t status) {
  if (status != MOERT_OK)
    throw ToolError(moert_last_error());
}

struct CloseProgram {
  void operator()(moert_program_t *program) const { moert_program_close(program); }
};
struct DestroySession {
  void operator()(moert_session_t *session) const { moert_session_destroy(session); }
};
using ProgramHandle = std::unique_ptr<moert_program_t, CloseProgram>;
using SessionHandle = std::unique_ptr<moert_session_t, DestroySession>;

inline SessionHandle createSession(const moert_program_t *program, const moert_session_options_t &options) {
  moert_session_t *session = nullptr;
  check(moert_session_create(program, &options, &session));
  return SessionHandle(session);
}

inline moert_tensor_info_t getInput(const moert_program_t *program, size_t index) {
  moert_tensor_info_t info = {sizeof(info), nullptr, 0, 0, nullptr};
  check(moert_program_input(program, index, &info));
  return info;
}

inline moert_tensor_info_t getOutput(const moert_program_t *program, size_t index) {
  moert_tensor_info_t info = {sizeof(info), nullptr, 0, 0, nullptr};
  check(moert_program_output(program, index, &info));
  return info;
}

} // namespace moert::tools
