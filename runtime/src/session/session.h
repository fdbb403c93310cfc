// One caller's use of a program: memory, threads, state.
#pragma once
#include "session/binding.h"
#include "session/state.h"

#include <atomic>

namespace moert {

class Session {
public:
  Session(std::shared_ptr<const Program> program, const moert_session_options_t &options,
          std::unique_ptr<Device> device);

  static Status create(std::shared_ptr<const Program> program, const moert_session_options_t &options,
                       std::unique_ptr<Session> &session);

  Status run(std::span<const moert_tensor_view_t> inputs, std::span<moert_tensor_view_t> outputs);
  Status step(std::span<const moert_tensor_view_t> inputs, std::span<moert_tensor_view_t> outputs);
  Status estimate(std::span<const moert_tensor_view_t> inputs, uint64_t &bytes);
  Status getOutput(size_t index, moert_tensor_view_t &view) const;
  Status fork(std::unique_ptr<Session> &session) const;
  void cancel() { cancelled.store(true, std::memory_order_relaxed); }

  const Artifact &getArtifact() const { return program->getArtifact(); }
  State &getState() { return state; }
  uint32_t getThreadCount() const { return device->getThreadCount(); }
  uint64_t getMemory() const { return arena.getBytes() + stateArena.getBytes() + device->getLaunchBytes(); }

  // Taken by every call that uses the session, so that a second one at the same time is refused.
  std::atomic_flag busy;

private:
  Status bindAll(std::span<const moert_tensor_view_t> inputs, bool readsData);
  Status bindStep(std::span<const moert_tensor_view_t> given);
  Status execute(std::span<moert_tensor_view_t> outputs, bool keepState);

  std::shared_ptr<const Program> program;
  moert_session_options_t options;
  const std::string deviceName; // what `options` refers to
  std::unique_ptr<Device> device;
  Arena arena, stateArena;
  State state;
  Outputs outputs;
  Interpreter interpreter;
  InputBinding binding;
  std::atomic<bool> cancelled{false};
  std::vector<bool> carriesState;                   // by input
  std::vector<std::vector<int64_t>> emptyStateDims; // by state
};

} // namespace moert
