// Short forms of API calls for tests.
#pragma once
#include "artifact_builder.h"
#include "moert/moert.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace moert::test {

struct Close {
  void operator()(moert_program_t *program) const { moert_program_close(program); }
  void operator()(moert_session_t *session) const { moert_session_destroy(session); }
};
using ProgramPtr = std::unique_ptr<moert_program_t, Close>;
using SessionPtr = std::unique_ptr<moert_session_t, Close>;

inline moert_status_t tryOpen(const Bytes &file, ProgramPtr &program) {
  moert_program_t *opened = nullptr;
  const moert_status_t status = moert_program_open_memory(file.data(), file.size(), nullptr, &opened);
  program.reset(opened);
  return status;
}

// Expects success.
inline ProgramPtr open(const Bytes &file) {
  ProgramPtr program;
  EXPECT_EQ(tryOpen(file, program), MOERT_OK) << moert_last_error();
  return program;
}

inline SessionPtr makeSession(const moert_program_t *program, moert_session_options_t options) {
  moert_session_t *session = nullptr;
  EXPECT_EQ(moert_session_create(program, &options, &session), MOERT_OK) << moert_last_error();
  return SessionPtr(session);
}

inline SessionPtr makeSession(const moert_program_t *program, uint32_t threads = 1) {
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  options.thread_count = threads;
  return makeSession(program, options);
}

template <typename Element> constexpr uint32_t elementTypeOf();
template <> constexpr uint32_t elementTypeOf<float>() { return MOERT_F32; }
template <> constexpr uint32_t elementTypeOf<int32_t>() { return MOERT_I32; }
template <> constexpr uint32_t elementTypeOf<int64_t>() { return MOERT_I64; }

template <typename Element>
moert_tensor_view_t viewOf(std::vector<Element> &elements, const std::vector<int64_t> &dims) {
  return {elementTypeOf<Element>(), static_cast<uint32_t>(dims.size()), dims.data(), elements.data(),
          elements.size() * sizeof(Element)};
}

// Elements of a view.
template <typename Element> std::vector<Element> elementsOf(const moert_tensor_view_t &view) {
  EXPECT_EQ(view.element_type, elementTypeOf<Element>());
  const auto *begin = static_cast<const Element *>(view.data);
  return std::vector<Element>(begin, begin + view.byte_size / sizeof(Element));
}

#define EXPECT_FAILS(call, status, message)                                                                            \
  do {                                                                                                                 \
    EXPECT_EQ(call, status);                                                                                           \
    EXPECT_NE(std::string(moert_last_error()).find(message), std::string::npos)                                        \
        << "message: " << moert_last_error() << "\nexpected: " << (message);                                           \
  } while (false)

} // namespace moert::test
