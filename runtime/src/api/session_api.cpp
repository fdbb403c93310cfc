// Sessions in the C API.
#include "api/boundary.h"

using namespace moert;

moert_status_t moert_session_create(const moert_program_t *program, const moert_session_options_t *options,
                                    moert_session_t **out_session) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(program, "program"));
    MOERT_TRY(requireArgument(out_session, "out_session"));
    moert_session_options_t known;
    MOERT_TRY(readOptions(options, known));
    auto handle = std::make_unique<moert_session>();
    MOERT_TRY(Session::create(program->program, known, handle->session));
    *out_session = handle.release();
    return Status::success();
  });
}

void moert_session_destroy(moert_session_t *session) { delete session; }

// Runs `body` on the session unless another call is using it.
template <typename Body> static moert_status_t withSession(moert_session_t *handle, Body &&body) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(handle, "session"));
    Session &session = *handle->session;
    if (session.busy.test_and_set(std::memory_order_acquire))
      return failure(MOERT_BUSY, "the session is in use by another call");
    struct Release {
      std::atomic_flag &flag;
      ~Release() { flag.clear(std::memory_order_release); }
    } release{session.busy};
    return body(session);
  });
}

static Status requireViews(const moert_tensor_view_t *inputs, size_t inputCount, const moert_tensor_view_t *outputs,
                           size_t outputCount) {
  if (inputCount)
    MOERT_TRY(requireArgument(inputs, "inputs"));
  return outputCount ? requireArgument(outputs, "outputs") : Status::success();
}

moert_status_t moert_session_run(moert_session_t *session, const moert_tensor_view_t *inputs, size_t input_count,
                                 moert_tensor_view_t *outputs, size_t output_count) {
  return withSession(session, [&](Session &target) -> Status {
    MOERT_TRY(requireViews(inputs, input_count, outputs, output_count));
    return target.run({inputs, input_count}, {outputs, output_count});
  });
}

moert_status_t moert_session_step(moert_session_t *session, const moert_tensor_view_t *inputs, size_t input_count,
                                  moert_tensor_view_t *outputs, size_t output_count) {
  return withSession(session, [&](Session &target) -> Status {
    MOERT_TRY(requireViews(inputs, input_count, outputs, output_count));
    return target.step({inputs, input_count}, {outputs, output_count});
  });
}

moert_status_t moert_session_output(moert_session_t *session, size_t index, moert_tensor_view_t *out_view) {
  return withSession(session, [&](Session &target) -> Status {
    MOERT_TRY(requireArgument(out_view, "out_view"));
    return target.getOutput(index, *out_view);
  });
}

void moert_session_cancel(moert_session_t *session) {
  if (session)
    session->session->cancel();
}

uint32_t moert_session_thread_count(const moert_session_t *session) {
  return session ? session->session->getThreadCount() : 0;
}

uint64_t moert_session_memory(const moert_session_t *session) { return session ? session->session->getMemory() : 0; }

moert_status_t moert_session_estimate(moert_session_t *session, const moert_tensor_view_t *inputs, size_t input_count,
                                      uint64_t *out_bytes) {
  return withSession(session, [&](Session &target) -> Status {
    MOERT_TRY(requireArgument(out_bytes, "out_bytes"));
    MOERT_TRY(requireViews(inputs, input_count, nullptr, 0));
    return target.estimate({inputs, input_count}, *out_bytes);
  });
}

int64_t moert_session_state_length(const moert_session_t *session) {
  return session ? session->session->getState().getLength() : 0;
}

moert_status_t moert_session_state_reset(moert_session_t *session) {
  return withSession(session, [](Session &target) {
    target.getState().reset();
    return Status::success();
  });
}

moert_status_t moert_session_state_truncate(moert_session_t *session, int64_t length) {
  return withSession(session, [&](Session &target) { return target.getState().truncate(length); });
}

moert_status_t moert_session_state_fork(moert_session_t *session, moert_session_t **out_session) {
  return withSession(session, [&](Session &target) -> Status {
    MOERT_TRY(requireArgument(out_session, "out_session"));
    auto handle = std::make_unique<moert_session>();
    MOERT_TRY(target.fork(handle->session));
    *out_session = handle.release();
    return Status::success();
  });
}

moert_status_t moert_session_state_save(moert_session_t *session, void *bytes, size_t capacity, size_t *out_size) {
  return withSession(session, [&](Session &target) -> Status {
    MOERT_TRY(requireArgument(out_size, "out_size"));
    const size_t size = target.getState().getSavedSize();
    *out_size = size;
    if (capacity < size)
      return failure(MOERT_BUFFER_TOO_SMALL, "saved state needs ", size, " bytes, the buffer has ", capacity);
    MOERT_TRY(requireArgument(bytes, "bytes"));
    return target.getState().save({static_cast<std::byte *>(bytes), size});
  });
}

moert_status_t moert_session_state_load(moert_session_t *session, const void *bytes, size_t byte_count) {
  return withSession(session, [&](Session &target) -> Status {
    MOERT_TRY(requireArgument(bytes, "bytes"));
    return target.getState().load({static_cast<const std::byte *>(bytes), byte_count});
  });
}
