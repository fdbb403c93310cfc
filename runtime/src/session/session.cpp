// A run: bind inputs, interpret the step program, hand over outputs.
#include "session/session.h"

#include "devices/device_choice.h"

namespace moert {

Session::Session(std::shared_ptr<const Program> sharedProgram, const moert_session_options_t &options,
                 std::unique_ptr<Device> createdDevice)
    : program(std::move(sharedProgram)), options(options), deviceName(options.device ? options.device : "cpu"),
      device(std::move(createdDevice)), arena(device->memory), stateArena(device->stateMemory),
      state(program->getArtifact(), *device, stateArena),
      outputs(program->getArtifact(), *device, arena, stateArena, state),
      interpreter(*program, this->options, *device, arena, outputs), binding(program->getArtifact()),
      carriesState(program->getArtifact().inputs.size()), emptyStateDims(program->getArtifact().states.size()) {
  this->options.device = deviceName.c_str();
  for (const moert_state_t &row : program->getArtifact().states)
    carriesState[row.input] = true;
}

Status Session::create(std::shared_ptr<const Program> program, const moert_session_options_t &options,
                       std::unique_ptr<Session> &session) {
  constexpr uint32_t mostThreads = 4096;
  if (options.thread_count > mostThreads)
    return failure(MOERT_INVALID_ARGUMENT, options.thread_count, " threads, expected at most ", mostThreads);
  std::unique_ptr<Device> device;
  MOERT_TRY(createDevice(options.device, program, options, device));
  session = std::make_unique<Session>(std::move(program), options, std::move(device));
  return Status::success();
}

static Status checkCounts(const char *what, size_t found, size_t expected, bool mayBeNone) {
  if (found == expected || (mayBeNone && found == 0))
    return Status::success();
  return failure(MOERT_BAD_INPUT, found, " ", what, ", expected ", expected);
}

Status Session::bindAll(std::span<const moert_tensor_view_t> inputs, bool readsData) {
  MOERT_TRY(checkCounts("inputs", inputs.size(), getArtifact().inputs.size(), /*mayBeNone=*/false));
  binding.begin();
  for (uint32_t i = 0; i < inputs.size(); ++i)
    MOERT_TRY(binding.bind(i, inputs[i], readsData));
  return Status::success();
}

Status Session::run(std::span<const moert_tensor_view_t> inputs, std::span<moert_tensor_view_t> results) {
  MOERT_TRY(checkCounts("outputs", results.size(), getArtifact().outputs.size(), /*mayBeNone=*/true));
  MOERT_TRY(bindAll(inputs, /*readsData=*/true));
  return execute(results, /*keepState=*/false);
}

// Follows the step program on arenas without memory. Inputs are assumed aligned.
Status Session::estimate(std::span<const moert_tensor_view_t> inputs, uint64_t &bytes) {
  MOERT_TRY(bindAll(inputs, /*readsData=*/false));
  CountedMemory nothing(device->memory);
  Arena counted(nothing), countedState(nothing);
  State countedStates(getArtifact(), *device, countedState);
  Outputs countedOutputs(getArtifact(), *device, counted, countedState, countedStates);
  const moert_session_options_t silent = {};
  Interpreter dry(*program, silent, *device, counted, countedOutputs, Interpreter::Mode::Dry);
  const std::atomic<bool> notCancelled = false;
  countedOutputs.begin({}, /*keepState=*/false);
  MOERT_TRY(dry.run(binding.getInputs(), notCancelled));
  bytes = counted.getPeakBytes() + dry.getLaunchMemory();
  return Status::success();
}

Status Session::bindStep(std::span<const moert_tensor_view_t> given) {
  const Artifact &artifact = getArtifact();
  binding.begin();
  size_t next = 0;
  for (uint32_t i = 0; i < artifact.inputs.size(); ++i)
    if (!carriesState[i])
      MOERT_TRY(binding.bind(i, given[next++]));
  for (size_t i = 0; i < artifact.states.size(); ++i) {
    const uint32_t input = artifact.states[i].input;
    const bool isInPlace = artifact.states[i].in_place != 0;
    if (state.isEmpty()) {
      std::vector<int64_t> &dims = emptyStateDims[i];
      MOERT_TRY(binding.inferEmptyState(artifact.states[i], dims));
      MOERT_TRY(state.begin(i, dims));
    }
    MOERT_TRY(binding.bind(input, state.getView(i), /*readsData=*/!isInPlace));
    binding.keepOnDevice(input);
    if (isInPlace)
      binding.withholdData(input);
  }
  return Status::success();
}

Status Session::step(std::span<const moert_tensor_view_t> inputs, std::span<moert_tensor_view_t> results) {
  const Artifact &artifact = getArtifact();
  const size_t states = artifact.states.size();
  MOERT_TRY(checkCounts("inputs beside the state", inputs.size(), artifact.inputs.size() - states, false));
  MOERT_TRY(checkCounts("outputs beside the state", results.size(), artifact.outputs.size() - states, true));
  MOERT_TRY(bindStep(inputs));
  MOERT_TRY(execute(results, /*keepState=*/true));
  state.advance(outputs);
  return Status::success();
}

// Whatever ends a run, also std::bad_alloc, gives its memory back.
Status Session::execute(std::span<moert_tensor_view_t> results, bool keepState) {
  struct Cleanup {
    Session &session;
    bool succeeded = false;
    ~Cleanup() {
      session.binding.release(session.arena);
      if (!succeeded)
        session.outputs.abandon();
    }
  } cleanup{*this};
  cancelled.store(false, std::memory_order_relaxed);
  outputs.begin(results, keepState);
  arena.consolidate();
  MOERT_TRY(binding.place(*device, arena));
  MOERT_TRY(interpreter.run(binding.getInputs(), cancelled));
  MOERT_TRY(outputs.finish(results));
  cleanup.succeeded = true;
  return Status::success();
}

Status Session::getOutput(size_t index, moert_tensor_view_t &view) const {
  if (index >= getArtifact().outputs.size())
    return failure(MOERT_INVALID_ARGUMENT, "output ", index, ", expected less than ", getArtifact().outputs.size());
  if (!outputs.getView(static_cast<uint32_t>(index), view))
    return failure(MOERT_INVALID_ARGUMENT, "output '", getArtifact().outputs[index].name,
                   "' is not available: no run has succeeded, or it is part of the state");
  return Status::success();
}

Status Session::fork(std::unique_ptr<Session> &session) const {
  std::unique_ptr<Session> forked;
  MOERT_TRY(create(program, options, forked));
  MOERT_TRY(forked->state.copyFrom(state));
  session = std::move(forked);
  return Status::success();
}

} // namespace moert
