// One case per opcode. What the checker proved about the words is not checked again; what depends on values is: sizes,
// element indices, empty and read-only slots.
#include "step/interpreter.h"

#include "element_type.h"
#include "step/binary.h"
#include "step/step_format.h"

#include <algorithm>

namespace moert {

Interpreter::Interpreter(const Program &program, const moert_session_options_t &hooks, Device &device, Arena &arena,
                         Outputs &outputs, Mode mode)
    : program(program), mode(mode), hooks(hooks), device(device), arena(arena), outputs(outputs),
      words(program.getArtifact().program.words.data()),
      firstWeightSlot(static_cast<uint32_t>(program.getArtifact().inputs.size())),
      firstFreeSlot(firstWeightSlot + static_cast<uint32_t>(program.getArtifact().weights.size())),
      registers(program.getArtifact().program.registerCount), slots(program.getArtifact().program.slotCount) {
  const Artifact &artifact = program.getArtifact();
  for (uint32_t i = 0; i < artifact.weights.size(); ++i)
    slots[firstWeightSlot + i] = {device.getWeight(i), artifact.weights[i].size, Arena::noBlock, i, false};
  uint32_t mostBuffers = 0, mostScalars = 0;
  for (const KernelDeclaration &declaration : artifact.kernels) {
    mostBuffers = std::max(mostBuffers, declaration.bufferCount);
    mostScalars = std::max(mostScalars, declaration.scalarCount);
  }
  // A kernel that is never dispatched may declare any number.
  buffers.resize(std::min<size_t>(mostBuffers, artifact.program.words.size()));
  scalars.resize(std::min<size_t>(mostScalars, artifact.program.words.size()));
}

template <typename... Pieces> Status Interpreter::stepFailure(moert_status_t code, const Pieces &...pieces) const {
  return failure(code, "step at word ", current, " (", getStepFormat(stepOpcode(words[current])).name,
                 "): ", pieces...);
}

Status Interpreter::run(std::span<const Input> runInputs, const std::atomic<bool> &cancelFlag) {
  inputs = runInputs;
  cancelled = &cancelFlag;
  dispatches = 0;
  current = 0;
  std::fill(registers.begin(), registers.end(), 0);
  for (size_t i = 0; i < inputs.size(); ++i)
    slots[i] = {inputs[i].data, inputs[i].size, Arena::noBlock, Slot::noWeight, false};
  struct Cleanup {
    Interpreter &interpreter;
    ~Cleanup() { interpreter.releaseAll(); }
  } cleanup{*this};
  if (mode == Mode::Dry)
    return execute();
  MOERT_TRY(device.beginRun());
  Status status = execute();
  // Also after a failure, so that nothing is running any more.
  Status end = device.endRun();
  return status.ok() ? std::move(end) : std::move(status);
}

void Interpreter::clear(Slot &slot) {
  if (slot.block != Arena::noBlock)
    arena.release(slot.block);
  slot = Slot();
}

void Interpreter::releaseAll() {
  for (size_t i = firstFreeSlot; i < slots.size(); ++i)
    clear(slots[i]);
}

Status Interpreter::execute() {
  while (true) {
    const uint32_t first = words[current];
    if (stepOpcode(first) == MOERT_STEP_RETURN)
      return Status::success();
    nextStep = current + stepWordCount(first);
    MOERT_TRY(executeStep(words + current + 1, stepOpcode(first)));
    current = nextStep;
  }
}

Status Interpreter::executeStep(const uint32_t *operands, uint32_t opcode) {
  switch (opcode) {
  case MOERT_STEP_CONST:
    registers[operands[0]] = wrap(uint64_t(operands[2]) << 32 | operands[1]);
    return Status::success();
  case MOERT_STEP_BINARY:
    return binary(operands);
  case MOERT_STEP_SELECT:
    registers[operands[0]] = registers[registers[operands[1]] ? operands[2] : operands[3]];
    return Status::success();
  case MOERT_STEP_INPUT_DIM:
    registers[operands[0]] = inputs[operands[1]].dims[operands[2]];
    return Status::success();
  case MOERT_STEP_ALLOC:
    return alloc(operands);
  case MOERT_STEP_OUTPUT:
    return output(operands);
  case MOERT_STEP_FREE:
    clear(slots[operands[0]]);
    return Status::success();
  case MOERT_STEP_ALIAS:
    return alias(operands);
  case MOERT_STEP_MOVE:
    if (operands[0] != operands[1]) {
      clear(slots[operands[0]]);
      std::swap(slots[operands[0]], slots[operands[1]]);
    }
    return Status::success();
  case MOERT_STEP_LOAD:
    return load(operands);
  case MOERT_STEP_STORE:
    return store(operands);
  case MOERT_STEP_COPY:
    return copy(operands);
  case MOERT_STEP_DISPATCH:
    return dispatch(operands);
  case MOERT_STEP_JUMP:
    return jump(operands[0]);
  case MOERT_STEP_JUMP_IF_ZERO:
    return registers[operands[0]] ? Status::success() : jump(operands[1]);
  case MOERT_STEP_CHECK:
    if (registers[operands[0]])
      return Status::success();
    return failure(MOERT_RUN_FAILED, program.getArtifact().stepString(operands[1], operands[2]));
  case MOERT_STEP_ROUTING:
    return hooks.routing && mode == Mode::Run ? reportRouting(operands) : Status::success();
  case MOERT_STEP_STATE:
    return state(operands);
  }
  return failure(MOERT_RUN_FAILED, "unknown opcode ", opcode, " at word ", current);
}

Status Interpreter::binary(const uint32_t *operands) {
  if (!evaluateBinary(operands[3], registers[operands[1]], registers[operands[2]], registers[operands[0]]))
    return stepFailure(MOERT_RUN_FAILED, "division by zero");
  return Status::success();
}

Status Interpreter::alloc(const uint32_t *operands) {
  const int64_t bytes = registers[operands[1]];
  if (bytes < 0)
    return stepFailure(MOERT_RUN_FAILED, "size ", bytes, " is negative");
  Slot &slot = slots[operands[0]];
  clear(slot);
  const Arena::Block block = arena.allocate(static_cast<uint64_t>(bytes));
  if (block == Arena::noBlock)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", bytes, " bytes for a buffer between kernels");
  slot = {arena.address(block), static_cast<uint64_t>(bytes), block, Slot::noWeight, true};
  return Status::success();
}

Status Interpreter::output(const uint32_t *operands) {
  const uint32_t index = operands[1];
  const uint32_t rank = static_cast<uint32_t>(program.getArtifact().outputs[index].dims.size());
  for (uint32_t i = 0; i < rank; ++i)
    outputs.getDims(index)[i] = registers[operands[2 + i]];
  Slot &slot = slots[operands[0]];
  clear(slot);
  MOERT_TRY(outputs.provide(index, rank, slot.data, slot.size));
  slot.isWritable = true;
  return Status::success();
}

Status Interpreter::state(const uint32_t *operands) {
  const moert_state_t &row = program.getArtifact().states[operands[2]];
  const TensorType &type = program.getArtifact().inputs[row.input];
  const std::span<const int64_t> dims(inputs[row.input].dims, type.dims.size());
  StateMemory memory;
  clear(slots[operands[0]]);
  MOERT_TRY(outputs.provideState(operands[2], dims, registers[operands[3]], memory));
  if (mode == Mode::Run && !memory.holdsPast)
    MOERT_TRY(copyPositions(device, CopyKind::Inside, AxisLayout::of(dims, row.axis, elementSize(type.elementType)),
                            inputs[row.input].data, dims[row.axis], memory.data, memory.capacity, dims[row.axis]));
  slots[operands[0]] = {memory.data, memory.size, Arena::noBlock, Slot::noWeight, true};
  registers[operands[1]] = memory.capacity;
  return Status::success();
}

Status Interpreter::alias(const uint32_t *operands) {
  const Slot &source = slots[operands[1]];
  const int64_t offset = registers[operands[2]];
  if (!source.data)
    return stepFailure(MOERT_RUN_FAILED, "slot ", operands[1], " is empty");
  if (offset < 0 || static_cast<uint64_t>(offset) > source.size)
    return stepFailure(MOERT_RUN_FAILED, "offset ", offset, " exceeds the ", source.size, " bytes of slot ",
                       operands[1]);
  const Slot view = {source.data + offset, source.size - static_cast<uint64_t>(offset), Arena::noBlock, source.weight,
                     source.isWritable};
  if (operands[0] != operands[1])
    clear(slots[operands[0]]);
  const Arena::Block owned = slots[operands[0]].block; // still there when a slot is narrowed to a part of itself
  slots[operands[0]] = view;
  slots[operands[0]].block = owned;
  return Status::success();
}

Status Interpreter::checkElement(const Slot &slot, int64_t index, uint32_t elementType) const {
  if (!slot.data)
    return stepFailure(MOERT_RUN_FAILED, "the slot is empty");
  if (index < 0 || static_cast<uint64_t>(index) >= slot.size / elementSize(elementType))
    return stepFailure(MOERT_RUN_FAILED, "element ", index, " of ", slot.size / elementSize(elementType));
  return Status::success();
}

// Of the bytes of one element, in the low bytes of `bits`.
static int64_t toInteger(uint64_t bits, uint32_t elementType) {
  switch (elementType) {
  case MOERT_BOOL:
    return bits != 0;
  case MOERT_I8:
    return static_cast<int8_t>(bits);
  case MOERT_I16:
    return static_cast<int16_t>(bits);
  case MOERT_I32:
    return static_cast<int32_t>(bits);
  default:
    return static_cast<int64_t>(bits);
  }
}

Status Interpreter::load(const uint32_t *operands) {
  const Slot &slot = slots[operands[1]];
  const int64_t index = registers[operands[2]];
  MOERT_TRY(checkElement(slot, index, operands[3]));
  if (mode == Mode::Dry)
    return failure(MOERT_UNSUPPORTED, "sizes depend on values that only a run computes");
  // Little endian: the low bytes come first.
  uint64_t bits = 0;
  const uint64_t size = elementSize(operands[3]);
  MOERT_TRY(device.download(&bits, slot.data + static_cast<uint64_t>(index) * size, size));
  registers[operands[0]] = toInteger(bits, operands[3]);
  return Status::success();
}

Status Interpreter::store(const uint32_t *operands) {
  const Slot &slot = slots[operands[0]];
  const int64_t index = registers[operands[1]];
  MOERT_TRY(checkElement(slot, index, operands[3]));
  if (!slot.isWritable)
    return stepFailure(MOERT_RUN_FAILED, "slot ", operands[0], " is a view of an input or a weight");
  if (mode == Mode::Dry)
    return Status::success();
  const uint64_t value = static_cast<uint64_t>(registers[operands[2]]);
  const uint64_t size = elementSize(operands[3]);
  return device.upload(slot.data + static_cast<uint64_t>(index) * size, &value, size);
}

static bool isInside(const Slot &slot, int64_t offset, int64_t bytes) {
  return slot.data && offset >= 0 && bytes >= 0 && static_cast<uint64_t>(offset) <= slot.size &&
         static_cast<uint64_t>(bytes) <= slot.size - static_cast<uint64_t>(offset);
}

Status Interpreter::copy(const uint32_t *operands) {
  const Slot &target = slots[operands[0]], &source = slots[operands[2]];
  const int64_t targetOffset = registers[operands[1]], sourceOffset = registers[operands[3]];
  const int64_t bytes = registers[operands[4]];
  if (!isInside(target, targetOffset, bytes) || !isInside(source, sourceOffset, bytes))
    return stepFailure(MOERT_RUN_FAILED, bytes, " bytes from offset ", sourceOffset, " of ", source.size, " to offset ",
                       targetOffset, " of ", target.size);
  if (!target.isWritable)
    return stepFailure(MOERT_RUN_FAILED, "slot ", operands[0], " is a view of an input or a weight");
  if (mode == Mode::Dry)
    return Status::success();
  const auto size = static_cast<uint64_t>(bytes);
  return device.copy(CopyKind::Inside, target.data + targetOffset, source.data + sourceOffset, {1, size, size, size});
}

Status Interpreter::jump(uint32_t target) {
  nextStep = target;
  // Every loop passes here.
  if (target <= current && cancelled->load(std::memory_order_relaxed))
    return failure(MOERT_CANCELLED, "the run was cancelled");
  return Status::success();
}

Status Interpreter::reportRouting(const uint32_t *operands) {
  const uint32_t layer = operands[0], selected = program.getArtifact().layers[layer].selected;
  const Slot &experts = slots[operands[1]], &gates = slots[operands[2]];
  const int64_t tokens = registers[operands[3]];
  uint64_t bytes = 0;
  const int64_t dims[] = {tokens, selected};
  if (!denseBytes(dims, 2, sizeof(int32_t), bytes) || !experts.data || !gates.data || experts.size < bytes ||
      gates.size < bytes)
    return stepFailure(MOERT_RUN_FAILED, "buffers of ", experts.size, " and ", gates.size, " bytes for ", tokens,
                       " tokens and ", selected, " experts each");
  const std::byte *expertData = experts.data, *gateData = gates.data;
  if (!device.addressesHost) {
    routing.resize(2 * bytes);
    MOERT_TRY(device.download(routing.data(), experts.data, bytes));
    MOERT_TRY(device.download(routing.data() + bytes, gates.data, bytes));
    expertData = routing.data();
    gateData = routing.data() + bytes;
  }
  hooks.routing(hooks.routing_context, layer, tokens, selected, reinterpret_cast<const int32_t *>(expertData),
                reinterpret_cast<const float *>(gateData));
  return Status::success();
}

} // namespace moert
